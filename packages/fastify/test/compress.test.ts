import { Readable } from 'node:stream'
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import compress from '@fastify/compress'
import { memoryStore } from '@oncekey/core'
import { describe, expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, coveredApp, type Got, post } from './app.ts'

const TEXT = JSON.stringify({ text: 'oncekey '.repeat(1000) })
const plain = ({ headers, bytes }: Got) => {
  const coding = headers['content-encoding']
  if (coding === undefined) return bytes.toString()
  return (coding === 'gzip' ? gunzipSync(bytes) : brotliDecompressSync(bytes)).toString()
}
const accepting = (coding: string) => ({
  key: 'k',
  headers: coding === 'none' ? {} : { 'accept-encoding': coding },
})

describe.each(['before', 'after'])('@fastify/compress registered %s', (when) => {
  async function compressed(options = {}) {
    const app = bareApp()
    if (when === 'before') await app.register(compress, options)
    await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
    if (when === 'after') await app.register(compress, options)
    let runs = 0
    app.post('/json', async (_request, reply) => {
      runs += 1
      return reply.type('application/json').send(TEXT)
    })
    app.post('/stream', async (_request, reply) => {
      runs += 1
      return reply.type('application/json').send(Readable.from([TEXT]))
    })
    app.post('/itself', async (_request, reply) => {
      runs += 1
      return (reply as unknown as { compress(body: unknown): unknown }).compress(
        Readable.from([TEXT]),
      )
    })
    return { app, runs: () => runs }
  }

  for (const path of ['/json', '/stream', '/itself']) {
    for (const syncThreshold of [0, 1_000_000]) {
      test(`${path} replays one response readably to every client (${syncThreshold})`, async () => {
        const { app, runs } = await compressed({ syncThreshold })
        const first = await post(app, path, accepting('gzip'))
        expect(first.headers['content-encoding']).toBe('gzip')
        expect(plain(first)).toBe(TEXT)
        for (const coding of ['gzip', 'br', 'none']) {
          const again = await post(app, path, accepting(coding))
          expect(plain(again)).toBe(TEXT)
          expect(again.replayed).toBe(true)
          // The bytes are those of the first response, either unchanged or decoded.
          if (coding === 'br') expect(again.headers['content-encoding']).toBeUndefined()
          else expect(again.bytes).toEqual(first.bytes)
        }
        expect(runs()).toBe(1)
      })
    }
  }
})

test('stores what a hook compressed, and decodes it for clients that do not accept the coding', async () => {
  const app = bareApp()
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('content-encoding', 'gzip')
    return gzipSync(payload as string)
  })
  await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
  app.post('/x', async () => ({ id: 1 }))
  expect(plain(await post(app, '/x', { key: 'k' }))).toBe('{"id":1}')
  expect(plain(await post(app, '/x', { key: 'k' }))).toBe('{"id":1}')
  const again = await post(app, '/x', accepting('identity'))
  expect(again).toMatchObject({ body: '{"id":1}', replayed: true })
  expect(again.headers['content-encoding']).toBeUndefined()
})

test('maxResponseBytes applies to the compressed size', async () => {
  const { app } = await coveredApp({ maxResponseBytes: 20 })
  app.post('/x', async (_request, reply) =>
    reply.header('content-encoding', 'gzip').send(gzipSync('a'.repeat(10_000))),
  )
  expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
})

test('an unknown coding is stored and replayed unchanged', async () => {
  const { app } = await coveredApp()
  app.post('/x', async (_request, reply) =>
    reply.header('content-encoding', 'x-own').type('text/plain').send('coded'),
  )
  const first = await post(app, '/x', { key: 'k' })
  const again = await post(app, '/x', { key: 'k' })
  expect(again).toMatchObject({ body: first.body, replayed: true })
  expect(again.headers['content-encoding']).toBe('x-own')
})
