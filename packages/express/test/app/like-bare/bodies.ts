import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline, Readable, Writable } from 'node:stream'
import { pipeline as pipelined } from 'node:stream/promises'
import { afterAll, beforeAll } from 'vitest'
import type { Case } from './case.ts'

let folder = ''
let file = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oncekey-'))
  file = join(folder, 'receipt.txt')
  writeFileSync(file, 'receipt '.repeat(20_000))
})

afterAll(() => rm(folder, { recursive: true }))

async function* letters(): AsyncGenerator<string> {
  yield 'a'
  await new Promise((resolve) => setImmediate(resolve))
  yield 'b'
  yield 'c'
}

const bytes = Buffer.from([0x25, 0xff, 0x00, 0xfe])

/** Ways to give a body. */
export const bodies: readonly Case[] = [
  { title: 'json', handler: (_, res) => res.status(201).json({ id: 1, name: 'Zoë' }) },
  { title: 'json of what came', handler: (req, res) => res.json(req.body) },
  { title: 'json of null', handler: (_, res) => res.json(null) },
  { title: 'jsonp', path: '/?callback=take', handler: (_, res) => res.jsonp({ id: 1 }) },
  { title: 'send of a string', handler: (_, res) => res.send('<p>höll</p>') },
  { title: 'send of an object', handler: (_, res) => res.send({ id: 1 }) },
  { title: 'send of a Buffer', handler: (_, res) => res.send(bytes) },
  { title: 'send of an empty string', handler: (_, res) => res.send('') },
  { title: 'send of nothing', handler: (_, res) => res.status(202).send() },
  { title: 'sendStatus', handler: (_, res) => res.sendStatus(202) },
  { title: '204', handler: (_, res) => res.status(204).send('ignored') },
  { title: '204 with end', handler: (_, res) => res.status(204).end() },
  { title: '204 with end of a body', handler: (_, res) => res.status(204).end('ignored') },
  { title: '304', handler: (_, res) => res.status(304).set('ETag', '"1"').end() },
  { title: '205', handler: (_, res) => res.status(205).send('ignored') },
  { title: 'a redirect', handler: (_, res) => res.redirect('/orders/1') },
  { title: 'a redirect with 303', handler: (_, res) => res.redirect(303, '/orders/1') },
  {
    title: 'location and links',
    handler: (_, res) => res.location('/1').links({ next: '/2' }).end(),
  },
  { title: 'format', handler: (_, res) => res.format({ text: () => res.send('text') }) },
  { title: 'attachment', handler: (_, res) => res.attachment('a.csv').send('1,2') },
  { title: 'a refusal', handler: (_, res) => res.status(422).json({ error: 'no' }) },
  { title: 'a cookie', handler: (_, res) => res.cookie('a', 'b').cookie('c', 'd').send('x') },

  { title: 'end of nothing', handler: (_, res) => res.end() },
  { title: 'end of a string', handler: (_, res) => res.end('höll') },
  { title: 'end of latin1', handler: (_, res) => res.end('höll', 'latin1') },
  { title: 'end of base64', handler: (_, res) => res.end('aGVsbG8=', 'base64') },
  { title: 'end of a Buffer', handler: (_, res) => res.end(bytes) },
  { title: 'end of a Uint8Array', handler: (_, res) => res.end(new Uint8Array(bytes)) },
  { title: 'end of an empty string', handler: (_, res) => res.end('') },
  {
    title: 'write and end',
    handler: (_, res) => {
      res.write('a')
      res.write(bytes)
      res.end('c')
    },
  },
  {
    title: 'write and end of nothing',
    handler: (_, res) => {
      res.write('abc')
      res.end()
    },
  },
  {
    title: 'write of nothing and end',
    handler: (_, res) => {
      res.write('')
      res.end()
    },
  },
  {
    title: 'write in two encodings',
    handler: (_, res) => {
      res.write('ff', 'hex')
      res.end('ö')
    },
  },
  {
    title: 'writes over time',
    handler: async (_, res) => {
      for await (const letter of letters()) res.write(letter)
      res.end()
    },
  },
  {
    title: 'a buffer that is used again after the callback of its write',
    handler: (_, res) => {
      const buffer = Buffer.from('one')
      res.write(buffer, () => {
        buffer.write('two')
        res.write(buffer, () => res.end())
      })
    },
  },
  {
    title: 'cork and uncork',
    handler: (_, res) => {
      res.cork()
      res.write('a')
      res.write('b')
      process.nextTick(() => {
        res.uncork()
        res.end('c')
      })
    },
  },
  { title: 'a pipe', handler: (_, res) => Readable.from(letters()).pipe(res) },
  {
    title: 'a pipe that leaves the end to the handler',
    handler: (_, res) => {
      const source = Readable.from(letters())
      source.pipe(res, { end: false })
      source.on('end', () => res.end('d'))
    },
  },
  { title: 'pipeline', handler: (_, res) => pipeline(Readable.from(letters()), res, () => {}) },
  { title: 'pipeline of a generator', handler: (_, res) => pipeline(letters, res, () => {}) },
  { title: 'awaited pipeline', handler: (_, res) => pipelined(Readable.from(letters()), res) },
  {
    title: 'a web stream',
    handler: (_, res) => new Response('abc').body?.pipeTo(Writable.toWeb(res)),
  },
  { title: 'sendFile', handler: (_, res) => res.sendFile(file) },
  {
    title: 'sendFile of a range',
    headers: { Range: 'bytes=2-5' },
    handler: (_, res) => res.sendFile(file),
  },
  { title: 'sendFile with a callback', handler: (_, res) => res.sendFile(file, () => {}) },
  {
    title: 'sendFile of no file',
    handler: (_, res) =>
      res.sendFile(`${file}.missing`, (error) =>
        res.status(404).json({ code: (error as NodeJS.ErrnoException).code }),
      ),
  },
  { title: 'download', handler: (_, res) => res.download(file, 'Quittung ä.txt') },
]
