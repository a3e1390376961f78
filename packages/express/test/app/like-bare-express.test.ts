import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline, Readable, Writable } from 'node:stream'
import { pipeline as pipelined } from 'node:stream/promises'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type express5 from 'express'
import type { NextFunction, Request, Response } from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { header, post, type WireResponse } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

/**
 * Bare Express is the oracle: the same handler is mounted with and without the middleware, and both
 * must send the same status line, headers and body. The date and the framing may differ: the length
 * is known where bare Express writes chunks.
 */
const FREE = new Set(['date', 'content-length', 'transfer-encoding', 'connection', 'keep-alive'])

type Handler = (req: Request, res: Response, next: NextFunction) => unknown

interface Case {
  readonly title: string
  readonly handler: Handler
  /** Bare Express ends the connection instead of the response. */
  readonly breaks?: true
  /** Not stored: a retry runs the handler again. */
  readonly retries?: true
  readonly headers?: Record<string, string>
  readonly path?: string
  readonly only?: 'Express 5'
  /** No header is set before the handler. */
  readonly unpowered?: true
}

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

const cases: readonly Case[] = [
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

  { title: 'writeHead', handler: (_, res) => res.writeHead(201).end('x') },
  {
    title: 'writeHead with headers',
    handler: (_, res) => res.writeHead(201, { Location: '/1', 'X-Two': ['a', 'b'] }).end('x'),
  },
  {
    title: 'writeHead with a status message',
    handler: (_, res) => res.writeHead(201, 'Made', { Location: '/1' }).end('x'),
  },
  {
    title: 'writeHead with only a status message',
    handler: (_, res) => res.writeHead(201, 'Made').end(),
  },
  {
    title: 'writeHead with raw headers',
    handler: (_, res) => {
      res.setHeader('X-One', 'before')
      res.writeHead(200, ['X-One', '1', 'X-Two', 'a'])
      res.end('x')
    },
  },
  {
    // Before version 22, Node lost all values but the last if a header had been set before.
    title: 'writeHead with raw headers, one of them twice',
    unpowered: true,
    handler: (_, res) => res.writeHead(200, ['X-Two', 'a', 'X-Two', 'b'] as never).end('x'),
  },
  {
    title: 'writeHead over headers that were set',
    handler: (_, res) =>
      res.set({ 'X-One': '1', 'X-Two': '2' }).writeHead(200, { 'x-one': '3' }).end(),
  },
  {
    title: 'writeHead and writes',
    handler: (_, res) => {
      res.writeHead(200)
      res.write('a')
      res.end('b')
    },
  },
  {
    title: 'a status message',
    handler: (_, res) => {
      res.statusMessage = 'Fine'
      res.send('x')
    },
  },
  {
    title: 'several values',
    handler: (_, res) => res.append('Link', '<1>').append('Link', '<2>').send('x'),
  },
  {
    title: 'setHeaders',
    handler: (_, res) => res.setHeaders(new Headers({ 'x-one': '1', 'x-two': '2' })).end('x'),
  },
  {
    title: 'a removed header',
    handler: (_, res) => {
      res.removeHeader('X-Powered-By')
      res.send('x')
    },
  },
  {
    title: 'flushHeaders',
    handler: (_, res) => {
      res.flushHeaders()
      res.end('x')
    },
  },
  {
    title: 'trailers',
    handler: (_, res) => {
      res.setHeader('Trailer', 'X-Sum')
      res.write('abc')
      res.addTrailers({ 'X-Sum': '3' })
      res.end()
    },
  },
  {
    title: 'trailers that were not announced',
    handler: (_, res) => {
      res.write('abc')
      res.addTrailers({ 'X-Sum': '3' })
      res.end('d')
    },
  },
  {
    title: 'early hints and a 102',
    handler: (_, res) => {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' })
      res.writeProcessing()
      res.send('x')
    },
  },
  {
    title: '100 continue',
    headers: { Expect: '100-continue' },
    handler: (_, res) => res.send('x'),
  },
  {
    title: 'a transfer coding of its own',
    handler: (_, res) => {
      res.setHeader('Transfer-Encoding', 'chunked')
      res.end('abc')
    },
  },
  {
    title: 'a length of its own',
    handler: (_, res) => {
      res.setHeader('Content-Length', 3)
      res.end('abc')
    },
  },
  { title: 'Connection: close', handler: (_, res) => res.set('Connection', 'close').send('x') },

  { title: 'a 500', retries: true, handler: (_, res) => res.status(500).json({ error: 'oops' }) },
  {
    title: 'a 429',
    retries: true,
    handler: (_, res) => res.set('Retry-After', '3').sendStatus(429),
  },
  {
    title: 'a throw',
    retries: true,
    handler: () => {
      throw new Error('thrown')
    },
  },
  {
    title: 'a throw with a status',
    handler: () => {
      throw Object.assign(new Error('refused'), { status: 403, headers: { 'X-Why': 'so' } })
    },
  },
  {
    title: 'an error passed on',
    retries: true,
    handler: (_, __, next) => next(new Error('passed')),
  },
  {
    title: 'a rejection',
    only: 'Express 5',
    retries: true,
    handler: async () => {
      throw new Error('rejected')
    },
  },
  { title: 'no handler that answers', handler: (_, __, next) => next() },
  {
    title: 'a throw after headers were set',
    retries: true,
    handler: (_, res) => {
      res.status(201).set({ Location: '/1', ETag: '"1"', 'Set-Cookie': 'a=b' })
      throw new Error('late')
    },
  },
  {
    title: 'a throw after the answer',
    handler: (_, res) => {
      res.status(201).json({ id: 1 })
      throw new Error('after')
    },
  },
  {
    title: 'an error passed on after the answer',
    handler: (_, res, next) => {
      res.status(201).json({ id: 1 })
      next(new Error('after'))
    },
  },
  {
    title: 'a rejection after the answer',
    only: 'Express 5',
    handler: async (_, res) => {
      res.status(201).json({ id: 1 })
      await null
      throw new Error('after')
    },
  },
  {
    title: 'two answers',
    handler: (_, res) => {
      res.json({ n: 1 })
      res.json({ n: 2 })
    },
  },
  {
    title: 'two ends',
    handler: (_, res) => {
      res.end('1')
      res.end()
    },
  },
  {
    title: 'the response destroyed after its end',
    handler: (_, res) => {
      res.end('x')
      res.destroy()
    },
  },
  {
    title: 'an answer set up by the error handler of a route',
    handler: (_, res) => {
      res.type('text/plain')
      throw Object.assign(new Error(), { status: 409, expose: true })
    },
  },

  { title: 'the response destroyed', breaks: true, handler: (_, res) => res.destroy() },
  { title: 'the connection destroyed', breaks: true, handler: (req) => req.socket.destroy() },
  {
    title: 'a pipeline that breaks before its first byte',
    breaks: true,
    handler: (_, res) => {
      const source = new Readable({ read: () => source.destroy(new Error('broken')) })
      pipeline(source, res, () => {})
    },
  },
  {
    title: 'an invalid status',
    retries: true,
    handler: (_, res) => {
      res.statusCode = 1000
      res.end()
    },
  },
  {
    title: 'an invalid header',
    retries: true,
    handler: (_, res) => void res.writeHead(200, { 'X-Bad': 'a\nb' }),
  },
  { title: 'an invalid chunk', retries: true, handler: (_, res) => res.end(5 as never) },
  {
    title: 'an invalid status message',
    retries: true,
    handler: (_, res) => {
      res.statusMessage = 'a\nb'
      res.end()
    },
  },
]

for (const [version, express] of expressVersions) {
  describe(`like bare ${version}`, () => {
    for (const each of cases) {
      test.skipIf(each.only !== undefined && each.only !== version)(each.title, async () => {
        const bare = await ask(each, express, false)
        const covered = await ask(each, express, true)
        if (each.breaks) {
          expect(covered.first).toBe('broken')
          expect(bare.first).toBe('broken')
          return
        }
        expect(visible(covered.first)).toEqual(visible(bare.first))
        if (each.retries) {
          expect(covered.runs).toBe(2)
          return
        }
        expect(covered.runs).toBe(1)
        const { first, again } = covered as { first: WireResponse; again: WireResponse }
        expect(again.status).toBe(first.status)
        expect(again.body).toEqual(first.body)
        expect(header(again, 'x-idempotency-replayed')).toBe('true')
        for (const [name] of first.headers.filter(isKept)) {
          expect([name, header(again, name)]).toEqual([name, header(first, name)])
        }
      })
    }
  })
}

function isKept([name]: readonly [string, string]): boolean {
  return !FREE.has(name.toLowerCase()) && !/^(set-cookie|trailer)$/i.test(name)
}

type Answer = WireResponse | 'broken'

async function ask(
  { handler, unpowered, path = '/', headers = {} }: Case,
  express: typeof express5,
  isCovered: boolean,
): Promise<{ first: Answer; again: Answer; runs: number }> {
  const app = quietApp(express)
  if (unpowered) app.disable('x-powered-by')
  app.use(express.json())
  if (isCovered) app.use(idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
  let runs = 0
  app.post('/', (req, res, next) => {
    runs += 1
    return handler(req, res, next)
  })
  const port = await served(app)
  const send = () =>
    post(port, path, { 'Idempotency-Key': 'k', ...headers }).catch((): Answer => 'broken')
  return { first: await send(), again: await send(), runs }
}

function visible(answer: Answer): unknown {
  if (answer === 'broken') return answer
  const { statusLine, headers, body, trailers, informational } = answer
  return {
    statusLine,
    headers: headers.filter(([name]) => !FREE.has(name.toLowerCase())),
    body: body
      .toString('latin1')
      .replace(/<br>.*<\/pre>/, '')
      .replace(/ in (statusMessage|header content \[.*\])/, ''),
    trailers,
    informational,
  }
}
