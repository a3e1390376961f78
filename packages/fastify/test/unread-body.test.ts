import { PassThrough, type Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import multipart from '@fastify/multipart'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { coveredApp, http2Client, http2Server, post } from './app.ts'

/** A parser that passes the stream on for the handler to read. */
const handOn = (app: FastifyInstance) =>
  app.addContentTypeParser('*', (_request, body, done) => done(null, body))

describe('an unread body is detected by reading ahead', () => {
  const body = '--b\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\n1\r\n--b--\r\n'
  const type = 'multipart/form-data; boundary=b'

  test('over HTTP/2 for an upload without a length, as over HTTP/1.1', async () => {
    const { app } = await coveredApp({ server: http2Server })
    await app.register(multipart)
    app.post('/x', async (request) => (await (await request.file())?.toBuffer())?.toString())
    const send = await http2Client(app)
    for (const key of ['a', 'a']) {
      const [status, answer] = await send(key, body, type)
      expect(status).toBe(500)
      expect(JSON.parse(answer as string).code).toBe('fingerprint-required')
    }
  })

  test('over HTTP/2 for a stream that a parser passes on, unless it is empty', async () => {
    const { app } = await coveredApp({ server: http2Server })
    handOn(app)
    app.post('/x', async (request) => ({ got: await text(request.body as Readable) }))
    const send = await http2Client(app)
    const [status, answer] = await send('a', 'frames', 'video/mp4')
    expect([status, JSON.parse(answer as string).code]).toEqual([500, 'body-unseen'])
    expect(await send('b', '', 'video/mp4')).toEqual([200, '{"got":""}', undefined])
    expect(await send('b', '', 'video/mp4')).toEqual([200, '{"got":""}', 'true'])
  })

  test('over HTTP/1.1 for a chunked but empty body', async () => {
    const { app } = await coveredApp()
    handOn(app)
    app.post('/x', async (request) => ({ got: await text(request.body as Readable) }))
    const headers = { 'content-type': 'video/mp4', 'transfer-encoding': 'chunked' }
    for (const replayed of [false, true]) {
      const got = await post(app, '/x', { key: 'k', headers, chunks: [] })
      expect(got).toMatchObject({ status: 200, body: '{"got":""}', replayed })
    }
    expect((await post(app, '/x', { key: 'l', headers, chunks: ['frames'] })).status).toBe(500)
  })

  test('without losing data for a parser that waits before it passes the stream on', async () => {
    const fingerprint = () => 'one'
    const { app } = await coveredApp()
    handOn(app)
    app.post('/x', { config: { idempotency: { fingerprint } } }, async (request) => ({
      got: await text(request.body as Readable),
    }))
    const headers = { 'content-type': 'video/mp4' }
    const got = await post(app, '/x', { key: 'k', headers, chunks: ['a', 'b'] })
    expect(got.body).toBe('{"got":"ab"}')
  })

  test('through inject for a stream payload', async () => {
    const { app } = await coveredApp()
    handOn(app)
    app.post('/x', async (request) => ({ got: await text(request.body as Readable) }))
    const send = (key: string, parts: string[]) =>
      app.inject({
        method: 'POST',
        url: '/x',
        headers: { 'idempotency-key': key, 'content-type': 'video/mp4' },
        payload: PassThrough.from(parts),
      })
    expect((await send('a', ['frames'])).json()).toMatchObject({ code: 'body-unseen' })
    expect((await send('b', [])).json()).toEqual({ got: '' })
  })

  test('through inject for a parsed stream payload', async () => {
    const { app } = await coveredApp()
    app.post('/x', async (request) => request.body)
    const send = (parts: string[]) =>
      app.inject({
        method: 'POST',
        url: '/x',
        headers: { 'idempotency-key': 'k', 'content-type': 'application/json' },
        payload: PassThrough.from(parts),
      })
    expect((await send(['{"a":', '1}'])).json()).toEqual({ a: 1 })
    expect((await send(['{"a":1}'])).headers['x-idempotency-replayed']).toBe('true')
    expect((await send(['{"a":2}'])).statusCode).toBe(422)
  })

  test('through inject without a payload', async () => {
    const { app } = await coveredApp()
    app.post('/x', async () => 'ok')
    const send = () =>
      app.inject({ method: 'POST', url: '/x', headers: { 'idempotency-key': 'k' } })
    expect((await send()).body).toBe('ok')
    expect((await send()).headers['x-idempotency-replayed']).toBe('true')
  })

  test("with Fastify's own 415 for a content type that nothing parses", async () => {
    const { app, store } = await coveredApp()
    app.post('/x', async () => 'ok')
    const headers = { 'content-type': 'video/mp4' }
    for (const _ of [1, 2]) {
      const got = await post(app, '/x', { key: 'k', headers, body: Buffer.from('frames') })
      expect(got).toMatchObject({ status: 415, replayed: false })
    }
    expect(store.data.size).toBe(0)
  })
})
