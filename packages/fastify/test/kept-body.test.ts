import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { memoryStore } from '@oncekey/core'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { comparedBytes, keepBody, receivedBytes } from '../src/request/kept-body.ts'
import { coveredApp, fastifyVersions, post, until } from './app.ts'

const MIB = 1024 * 1024
const video = { 'content-type': 'video/mp4' }

/** A parser that passes the stream on for the handler to read. */
const handOn = (app: FastifyInstance) =>
  app.addContentTypeParser('*', (_request, body, done) => done(null, body))

/** A parser that streams the body to its place before the handler runs. */
const takeAway = (app: FastifyInstance, options: { bodyLimit?: number } = {}) =>
  app.addContentTypeParser('*', options, (_request, body, done) => {
    body.resume()
    once(body, 'end').then(() => done(null, 'streamed'), done)
  })

/** What is kept of a body once it has passed. */
async function keptOf(chunks: Buffer[], most?: () => number) {
  const upload = Readable.from(chunks)
  const kept = keepBody(upload, most)
  upload.resume()
  await once(upload, 'end')
  return kept
}

// A bug: there was no limit for the bytes of a body that all of its bytes are asked for.
test('past the limit only the digest of a body is kept', async () => {
  const kept = await keptOf(
    Array.from({ length: 8 }, () => randomBytes(MIB)),
    () => 2 * MIB,
  )
  expect([kept.isOverLimit, kept.chunks]).toEqual([true, []])
})

// A bug: a body within the limit was compared by its bytes, and the same body over the limit of
// another server by its digest.
test('what is compared of a body depends on its size, and not on how much of it is kept', async () => {
  for (const [last, isDigest] of [
    [Buffer.alloc(0), false],
    [Buffer.from('.'), true],
  ] as const) {
    const chunks = [randomBytes(MIB / 2), randomBytes(MIB / 2), last]
    const whole = Buffer.concat(chunks)
    const compared = isDigest ? hash('sha256', whole, 'buffer') : whole
    for (const most of [undefined, () => 2 * MIB, () => 8 * MIB]) {
      const kept = await keptOf(chunks, most)
      expect(compared.equals(comparedBytes(kept))).toBe(true)
      expect(kept.isOverLimit).toBe(isDigest && most === undefined)
      if (!kept.isOverLimit) expect(whole.equals(receivedBytes(kept))).toBe(true)
    }
  }
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

  // A bug: the rest of an upload was kept that a hook had begun to read and refused. Node itself
  // drops the rest only of a body that nobody has begun to read.
  test('ends with an answer before the claim', async () => {
    const { app } = await coveredApp({ factory, ...ofKey })
    handOn(app)
    let listeners = -1
    app.addHook('preHandler', async ({ raw }, reply) => {
      await once(raw.resume(), 'end')
      return reply.code(401).send()
    })
    app.addHook('onResponse', async ({ raw }) => {
      listeners = raw.listenerCount('data')
    })
    app.post('/x', async () => 'done')
    const sent = { headers: { ...video, 'x-key': 'k' }, chunks: ['frame'] }
    expect((await post(app, '/x', sent)).status).toBe(401)
    await until(() => listeners !== -1)
    expect(listeners).toBe(0)
  })

  test('has the limit of its route, if a parser streams it to its place', async () => {
    const { app } = await coveredApp({ factory, authenticate: () => {} })
    takeAway(app)
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

  // A bug: the larger limit of its parser counted.
  test('has the limit of its route, if that is lower than the one of its parser', async () => {
    const { app } = await coveredApp({ factory, authenticate: () => {} })
    takeAway(app, { bodyLimit: 8 * MIB })
    app.post('/x', { bodyLimit: 2 * MIB }, async () => 'done')
    const send = (key: string, bytes: number) =>
      post(app, '/x', { key, headers: video, body: randomBytes(bytes) })
    expect((await send('a', 2 * MIB)).status).toBe(200)
    expect((await send('b', 2 * MIB + 1)).status).toBe(413)
  })

  // A bug: the retry was refused as another request.
  test('does not decide whether a retry matches', async () => {
    const store = memoryStore()
    const serve = async (bodyLimit: number) => {
      const { app } = await coveredApp({ factory, store, ...ofKey })
      takeAway(app)
      app.post('/x', { bodyLimit }, async () => 'done')
      return app
    }
    const [large, small] = [await serve(4 * MIB), await serve(MIB)]
    const body = randomBytes(3 * MIB)
    const send = (app: FastifyInstance, of = body) =>
      post(app, '/x', { headers: { ...video, 'x-key': 'k' }, body: of })
    expect(await send(large)).toMatchObject({ status: 200, replayed: false })
    expect(await send(small)).toMatchObject({ status: 200, replayed: true })
    expect((await send(small, randomBytes(3 * MIB))).status).toBe(422)
  })

  // A bug: who waited for the first byte listened again, and the whole upload was kept.
  test('ends with the claim, too, if `key` did not wait for the bytes that it asked for', async () => {
    let reading: Promise<Uint8Array> | undefined
    const { app } = await coveredApp({
      factory,
      fingerprint: () => 'a digest',
      key({ headers }: { headers: object }, raw: () => Promise<Uint8Array>) {
        reading = raw()
        return Reflect.get(headers, 'x-key')
      },
    })
    handOn(app)
    let started = (): void => {}
    const running = new Promise<void>((resolve) => {
      started = resolve
    })
    const listeners: number[] = []
    app.post('/x', async ({ raw, body }) => {
      started()
      let bytes = 0
      for await (const chunk of body as Readable) {
        bytes += chunk.length
        listeners.push(raw.listenerCount('data'))
      }
      return { bytes }
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const headers = { ...video, 'x-key': 'k' }
    const upload = httpRequest({ port, host: '127.0.0.1', path: '/x', method: 'POST', headers })
    upload.flushHeaders()
    await running
    upload.write('frame')
    await expect(reading).rejects.toMatchObject({ code: 'body-unseen' })
    upload.end('frame')
    const [response] = await once(upload, 'response')
    expect((await buffer(response)).toString()).toBe('{"bytes":10}')
    expect([...new Set(listeners)]).toEqual([0])
  })

  test('is no more once the key was claimed', async () => {
    let late: (() => Promise<Uint8Array>) | undefined
    const { app } = await coveredApp({
      factory,
      key({ headers }: { headers: object }, raw: () => Promise<Uint8Array>) {
        late = raw
        return Reflect.get(headers, 'x-key')
      },
    })
    app.post('/x', async () => late?.().catch(({ code }) => code))
    const got = await post(app, '/x', { headers: { 'x-key': 'k' }, body: '{}' })
    expect(got.body).toBe('body-unseen')
  })

  test('has the limit of its parser, if its route has none', async () => {
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
