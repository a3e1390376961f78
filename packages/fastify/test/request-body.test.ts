import { PassThrough, type Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import compress from '@fastify/compress'
import multipart from '@fastify/multipart'
import { memoryStore } from '@oncekey/core'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, coveredApp, http2Client, http2Server, post, type Sent } from './app.ts'

const statusOf = async (app: FastifyInstance, sent: Sent) =>
  (await post(app, '/x', { key: 'k', ...sent })).status

test('reads signatures and keys from the received bytes even with a custom fingerprint', async () => {
  const signed: string[] = []
  const { app } = await coveredApp({
    fingerprint: () => 'the order',
    key: async (_: unknown, raw: () => Promise<Uint8Array>) =>
      JSON.parse(Buffer.from(await raw()).toString()).id,
    authenticate: (_: unknown, bytes: Uint8Array) =>
      void signed.push(Buffer.from(bytes).toString()),
  })
  app.post('/x', async (request) => request.body)
  for (const body of ['{"id":"o-1"}', '{"id":"o-1","at":2}']) {
    expect((await post(app, '/x', { body })).body).toBe('{"id":"o-1"}')
    expect(signed.pop()).toBe(body)
  }
})

describe('the fingerprint of the body as received', () => {
  const schema = {
    body: {
      type: 'object',
      additionalProperties: false,
      properties: { a: { type: 'string' }, currency: { type: 'string', default: 'EUR' } },
    },
  }

  test('distinguishes requests that ajv coerces, strips or completes to the same value [e8f 8, e10]', async () => {
    const { app } = await coveredApp()
    app.post('/x', { schema }, async (request) => request.body)
    const first = await post(app, '/x', { key: 'k', body: '{"a":1,"extra":true}' })
    expect(first.body).toBe('{"a":"1","currency":"EUR"}')
    expect(await statusOf(app, { body: '{"a":"1","currency":"EUR"}' })).toBe(422)
    expect(await statusOf(app, { body: '{"a":1}' })).toBe(422)
    expect(await statusOf(app, { body: ' { "extra" : true, "a": 1 } ' })).toBe(200)
  })

  test('distinguishes digits past 2^53', async () => {
    const { app } = await coveredApp()
    app.post('/x', async (request) => request.body)
    expect(await statusOf(app, { body: '{"id":9007199254740993}' })).toBe(200)
    expect(await statusOf(app, { body: '{"id":9007199254740992}' })).toBe(422)
  })

  test('includes path, query, method and content type', async () => {
    const { app } = await coveredApp()
    app.post('/:id', async () => 'ok')
    const at = async (path: string, headers = {}) =>
      (await post(app, path, { key: 'k', body: '"x"', headers })).status
    expect(await at('/1?a=1')).toBe(200)
    expect(await at('/1?a=1')).toBe(200)
    expect(await at('/1?a=2')).toBe(422)
    expect(await at('/2?a=1')).toBe(422)
    expect(await at('/1?a=1', { 'content-type': 'text/plain' })).toBe(422)
    expect(await at('/1?a=1', { 'content-type': 'application/json; charset=utf-8' })).toBe(200)
  })

  test('includes the router’s constraints: version, host, custom ones', async () => {
    const secret = {
      name: 'secret',
      storage() {
        const handlers: Record<string, unknown> = {}
        return {
          get: (key: string) => handlers[key] ?? null,
          set(key: string, handler: unknown) {
            handlers[key] = handler
          },
        }
      },
      deriveConstraint: (raw: { headers: Record<string, string> }) => raw.headers['x-secret'],
      validate: () => true,
    }
    const { app } = await coveredApp({
      server: { routerOptions: { constraints: { secret } } } as never,
    })
    const add = (constraints: Record<string, string>, answer: string) =>
      app.route({ method: 'POST', url: '/x', constraints, handler: async () => answer })
    add({ version: '1.0.0' }, 'one')
    add({ version: '2.0.0' }, 'two')
    add({ host: 'a.example' }, 'a')
    add({ host: 'b.example' }, 'b')
    add({ secret: 'alpha' }, 'alpha')
    add({ secret: 'beta' }, 'beta')
    for (const [header, first, other, answer] of [
      ['accept-version', '1.x', '2.x', 'one'],
      ['host', 'a.example', 'b.example', 'a'],
      ['x-secret', 'alpha', 'beta', 'alpha'],
    ] as const) {
      const send = (value: string) =>
        post(app, '/x', { key: header, body: '1', headers: { [header]: value } })
      expect(await send(first)).toMatchObject({ status: 200, body: answer, replayed: false })
      expect(await send(first)).toMatchObject({ status: 200, body: answer, replayed: true })
      expect((await send(other)).status).toBe(422)
    }
  })

  test('includes the URL as the client sent it, not as rewriteUrl changed it', async () => {
    const { app } = await coveredApp({
      server: { rewriteUrl: (raw) => (raw.url as string).replace(/^\/v\d/, '') },
    })
    app.post('/x', async () => 'ok')
    expect((await post(app, '/v1/x', { key: 'k' })).status).toBe(200)
    expect((await post(app, '/v2/x', { key: 'k' })).status).toBe(422)
  })

  test('does not depend on how the body is chunked', async () => {
    const { app } = await coveredApp()
    app.post('/x', async (request) => request.body)
    const whole = JSON.stringify({ text: 'ü'.repeat(1000) })
    const bytes = Buffer.from(whole)
    expect((await post(app, '/x', { key: 'k', body: whole })).body).toBe(whole)
    const chunks = [bytes.subarray(0, 10), bytes.subarray(10, 501), bytes.subarray(501)]
    const headers = { 'content-type': 'application/json' }
    const cut = await post(app, '/x', { key: 'k', chunks, headers })
    expect(cut).toMatchObject({ status: 200, body: whole, replayed: true })
  })

  test('covers requests without a body, with or without a content type', async () => {
    const { app } = await coveredApp()
    app.post('/x', async (request) => ({ none: request.body === undefined }))
    expect((await post(app, '/x', { key: 'k' })).body).toBe('{"none":true}')
    expect((await post(app, '/x', { key: 'k' })).replayed).toBe(true)
    expect(await statusOf(app, { body: '{}' })).toBe(422)
  })

  test('distinguishes large bodies by a hash without keeping them', async () => {
    const { app } = await coveredApp()
    app.addContentTypeParser(
      'application/octet-stream',
      async (_request: unknown, body: Readable) => {
        let size = 0
        for await (const chunk of body) size += chunk.length
        return size
      },
    )
    app.post('/x', async (request) => request.body)
    const headers = { 'content-type': 'application/octet-stream' }
    const body = Buffer.alloc(5 * 1024 * 1024, 'a')
    expect((await post(app, '/x', { key: 'k', body, headers })).body).toBe('5242880')
    expect((await post(app, '/x', { key: 'k', body, headers })).replayed).toBe(true)
    body[4_000_000] = 0
    expect(await statusOf(app, { body, headers })).toBe(422)
  })
})

describe('parsers work as without the plugin', () => {
  const PARSERS: Record<string, (app: FastifyInstance) => void> = {
    'as a string'(app) {
      app.addContentTypeParser(
        'text/csv',
        { parseAs: 'string' },
        async (_: unknown, body: string) => body,
      )
    },
    'as a buffer'(app) {
      app.addContentTypeParser(
        'text/csv',
        { parseAs: 'buffer' },
        async (_: unknown, body: Buffer) => body.toString(),
      )
    },
    'of a stream, late'(app) {
      app.addContentTypeParser('text/csv', async (_: unknown, body: Readable) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return text(body)
      })
    },
    'with listeners, late'(app) {
      app.addContentTypeParser('text/csv', (_request, body, done) => {
        setTimeout(() => {
          let whole = ''
          body.setEncoding('utf8')
          body.on('data', (chunk) => {
            whole += chunk
          })
          body.on('end', () => done(null, whole))
        }, 20)
      })
    },
    'with readable events'(app) {
      app.addContentTypeParser('text/csv', (_request, body, done) => {
        const chunks: Buffer[] = []
        body.on('readable', () => {
          for (let chunk = body.read(); chunk !== null; chunk = body.read()) chunks.push(chunk)
        })
        body.on('end', () => done(null, Buffer.concat(chunks).toString()))
      })
    },
    'through a pipe'(app) {
      app.addContentTypeParser('text/csv', async (_: unknown, body: Readable) =>
        text(body.pipe(new PassThrough())),
      )
    },
  }

  for (const [name, add] of Object.entries(PARSERS)) {
    test(name, async () => {
      const { app } = await coveredApp()
      add(app)
      app.post('/x', async (request) => ({ got: request.body }))
      const headers = { 'content-type': 'text/csv' }
      const first = await post(app, '/x', { key: 'k', headers, chunks: ['a,ü\n', 'b,2\n'] })
      expect(first.body).toBe('{"got":"a,ü\\nb,2\\n"}')
      expect(await statusOf(app, { headers, chunks: ['a,ü\nb,2\n'] })).toBe(200)
      expect(await statusOf(app, { headers, chunks: ['a,ü\nb,3\n'] })).toBe(422)
    })
  }

  test('bodyLimit of the app and of a route applies', async () => {
    const { app } = await coveredApp({ server: { bodyLimit: 100 } })
    app.post('/x', async () => 'ok')
    app.post('/small', { bodyLimit: 10 }, async () => 'ok')
    const body = JSON.stringify('a'.repeat(50))
    expect(await statusOf(app, { body })).toBe(200)
    expect(await statusOf(app, { body: JSON.stringify('a'.repeat(200)) })).toBe(413)
    expect(
      await statusOf(app, {
        chunks: ['"', 'a'.repeat(200), '"'],
        headers: { 'content-type': 'application/json' },
      }),
    ).toBe(413)
    expect((await post(app, '/small', { key: 'k', body })).status).toBe(413)
  })

  test('a body that nobody has read before the handler causes an error with advice', async () => {
    const { app } = await coveredApp()
    app.addContentTypeParser('*', (_request, _body, done) => done(null))
    app.post('/x', async () => 'ok')
    const headers = { 'content-type': 'video/mp4' }
    const got = await post(app, '/x', { key: 'k', headers, body: Buffer.from('frames') })
    expect(got.status).toBe(500)
    expect(JSON.parse(got.body)).toMatchObject({
      code: 'body-unseen',
      message: expect.stringContaining('fingerprint: (request)'),
    })
  })

  test('a custom fingerprint may be asynchronous', async () => {
    const { app } = await coveredApp({
      fingerprint: async (request) => request.headers['content-digest'],
    })
    app.addContentTypeParser('*', (_request, body, done) => done(null, body))
    app.post('/x', async (request) => ({ got: await text(request.body as Readable) }))
    const sent = (digest: string, body: string) => ({
      body,
      headers: { 'content-type': 'video/mp4', 'content-digest': digest },
    })
    const first = await post(app, '/x', { key: 'k', ...sent('1', 'frames') })
    expect(first.body).toBe('{"got":"frames"}')
    expect(await statusOf(app, sent('1', 'frames'))).toBe(200)
    expect(await statusOf(app, sent('2', 'frames'))).toBe(422)
  })
})

describe('multipart', () => {
  const form = async (value: string) => {
    const request = new Request('http://x', {
      method: 'POST',
      body: Object.entries({ item: value }).reduce((data, [name, part]) => {
        data.append(name, part)
        data.append('file', new Blob(['contents']), 'file.txt')
        return data
      }, new FormData()),
    })
    return {
      body: Buffer.from(await request.arrayBuffer()),
      headers: { 'content-type': request.headers.get('content-type') as string },
    }
  }

  test('needs a custom fingerprint, and says so', async () => {
    const { app } = await coveredApp()
    await app.register(multipart)
    app.post('/x', async () => 'ok')
    const got = await post(app, '/x', { key: 'k', ...(await form('kettle')) })
    expect(JSON.parse(got.body)).toMatchObject({ statusCode: 500, code: 'fingerprint-required' })
  })

  test('streams files into the handler as without the plugin', async () => {
    const { app } = await coveredApp()
    await app.register(multipart)
    const fingerprint = () => 'one upload'
    app.post('/x', { config: { idempotency: { fingerprint } } }, async (request) => {
      const parts: string[] = []
      for await (const part of request.parts()) {
        parts.push(part.type === 'file' ? await text(part.file) : String(part.value))
      }
      return { parts }
    })
    const first = await post(app, '/x', { key: 'k', ...(await form('kettle')) })
    expect(first.body).toBe('{"parts":["kettle","contents"]}')
    const again = await post(app, '/x', { key: 'k', ...(await form('kettle')) })
    expect(again).toMatchObject({ body: first.body, replayed: true })
  })

  test('can use fields attached to the body as the fingerprint', async () => {
    const { app } = await coveredApp({
      fingerprint: (request) => (request.body as { item: { value: string } }).item.value,
    })
    await app.register(multipart, { attachFieldsToBody: true })
    app.post('/x', async () => 'ok')
    expect(await statusOf(app, await form('kettle'))).toBe(200)
    expect(await statusOf(app, await form('kettle'))).toBe(200)
    expect(await statusOf(app, await form('pan'))).toBe(422)
  })
})

describe('compressed request bodies', () => {
  for (const when of ['before', 'after']) {
    test(`are fingerprinted decompressed, with @fastify/compress registered ${when}`, async () => {
      const app = bareApp()
      if (when === 'before') await app.register(compress)
      await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
      if (when === 'after') await app.register(compress)
      app.post('/x', async (request) => request.body)
      const body = JSON.stringify({ item: 'kettle', text: 'a'.repeat(2000) })
      const sent = (encoding: string, bytes: Buffer) => ({
        body: bytes,
        headers: { 'content-type': 'application/json', 'content-encoding': encoding },
      })
      const first = await post(app, '/x', { key: 'k', ...sent('gzip', gzipSync(body)) })
      expect(first.body).toBe(body)
      expect(await statusOf(app, sent('br', brotliCompressSync(body)))).toBe(200)
      expect(await statusOf(app, { body })).toBe(200)
      expect(await statusOf(app, sent('gzip', gzipSync('{}')))).toBe(422)
    })
  }
})

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

test('over HTTP/2 with and without a body', async () => {
  const { app } = await coveredApp({ server: http2Server })
  app.post('/x', async (request) => ({ got: request.body ?? null }))
  const send = await http2Client(app)
  expect(await send('a')).toEqual([200, '{"got":null}', undefined])
  expect(await send('a')).toEqual([200, '{"got":null}', 'true'])
  expect(await send('b', '{"item":1}')).toEqual([200, '{"got":{"item":1}}', undefined])
  expect(await send('b', '{"item":1}')).toEqual([200, '{"got":{"item":1}}', 'true'])
  expect((await send('b', '{"item":2}'))[0]).toBe(422)
})
