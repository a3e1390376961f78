import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { keepBody, keptBytes } from '../src/request/kept-body.ts'
import { coveredApp, fastifyVersions, post } from './app.ts'

const MIB = 1024 * 1024
const video = { 'content-type': 'video/mp4' }

/** A parser that passes the stream on for the handler to read. */
const handOn = (app: FastifyInstance) =>
  app.addContentTypeParser('*', (_request, body, done) => done(null, body))

// A bug: there was no limit for the bytes of a body that all of its bytes are asked for.
test('past the limit only the hash of a body is kept', async () => {
  const upload = Readable.from(Array.from({ length: 8 }, () => randomBytes(MIB)))
  const kept = keepBody(upload, () => 2 * MIB)
  upload.resume()
  await once(upload, 'end')
  expect([kept.chunks, keptBytes(kept).length]).toEqual([[], 32])
})

describe.each(fastifyVersions)('what %s keeps of a body', (_, factory) => {
  const ofKey = { key: ({ headers }: { headers: object }) => Reflect.get(headers, 'x-key') }

  // A bug: the whole upload was kept in memory while the handler streamed it to its place.
  test('ends with the claim', async () => {
    const { app } = await coveredApp({ factory, ...ofKey, fingerprint: () => 'a digest' })
    handOn(app)
    let listeners = -1
    app.post('/x', async ({ raw, body }) => {
      listeners = raw.listenerCount('data')
      return { bytes: (await buffer(body as Readable)).length }
    })
    const headers = { ...video, 'x-key': 'k' }
    const got = await post(app, '/x', { headers, chunks: ['frame', 'frame'] })
    expect([got.body, listeners]).toEqual(['{"bytes":10}', 0])
  })

  test('ends with a problem, too, and with an error', async () => {
    let listeners = -1
    const fingerprint = ({ url }: { url: string }) => {
      if (url === '/failing') throw new Error('no fingerprint')
      return url
    }
    const { app } = await coveredApp({ factory, ...ofKey, fingerprint })
    handOn(app)
    app.addHook('onSend', async ({ raw }) => {
      listeners = raw.listenerCount('data')
    })
    app.post('/x', async () => 'done')
    app.post('/failing', async () => 'done')
    const sent = (key: string) => ({ headers: { ...video, 'x-key': key }, chunks: ['frame'] })
    expect((await post(app, '/x', sent('k'.repeat(300)))).status).toBe(400)
    expect(listeners).toBe(0)
    expect((await post(app, '/failing', sent('k'))).status).toBe(500)
    expect(listeners).toBe(0)
  })

  test('has the limit of its route, if a parser streams it to its place', async () => {
    const { app } = await coveredApp({ factory, authenticate: () => {} })
    app.addContentTypeParser('*', (_request, body, done) => {
      body.resume()
      once(body, 'end').then(() => done(null, 'streamed'), done)
    })
    app.post('/x', async () => 'done')
    app.post('/larger', { bodyLimit: 3 * MIB }, async () => 'done')
    const send = async (path: string, bytes: number) => {
      const sent = { key: `${path} ${bytes}`, headers: video, body: randomBytes(bytes) }
      const { status, body } = await post(app, path, sent)
      return status === 200 ? 200 : JSON.parse(body).code
    }
    expect(await send('/x', MIB)).toBe(200)
    expect(await send('/x', MIB + 1)).toBe('request-too-large')
    expect(await send('/larger', 3 * MIB)).toBe(200)
    expect(await send('/larger', 3 * MIB + 1)).toBe('request-too-large')
  })

  test('has the limit of its parser, if that is larger than the one of the route', async () => {
    let signed = 0
    const { app } = await coveredApp({
      factory,
      authenticate(_request, bytes) {
        signed = bytes.length
      },
    })
    const parsing = { parseAs: 'buffer', bodyLimit: 4 * MIB } as const
    app.addContentTypeParser('video/mp4', parsing, (_request, body, done) => done(null, body))
    app.post('/x', async () => 'done')
    const sent = { key: 'k', headers: video, body: randomBytes(3 * MIB) }
    expect((await post(app, '/x', sent)).status).toBe(200)
    expect(signed).toBe(3 * MIB)
  })
})
