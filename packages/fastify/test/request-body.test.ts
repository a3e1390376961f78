import type { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { coveredApp, http2Client, http2Server, post, type Sent } from './app.ts'

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

  // A bug: every object was `[object Object]`, so that a key used on one of these routes got the
  // answer of the other.
  test('does not take the routes of constraints that are objects for one: such a route is refused', async () => {
    const tenant = {
      name: 'tenant',
      storage() {
        const handlers = new Map<string, unknown>()
        return {
          get: (key: string) => handlers.get(key) ?? null,
          set: ({ id }: { id: string }, handler: unknown) => void handlers.set(id, handler),
        }
      },
      deriveConstraint: (raw: { headers: Record<string, string> }) => raw.headers['x-tenant'],
      validate: () => true,
    }
    const { app } = await coveredApp({
      server: { routerOptions: { constraints: { tenant } } } as never,
    })
    const add = (constraints: { tenant: object }, config = {}) =>
      app.route({ method: 'POST', url: '/x', constraints, config, handler: async () => 'ok' })
    expect(() => add({ tenant: { id: 'a' } })).toThrow(/`tenant` of POST \/x is an object/)
    expect(() => add({ tenant: { id: 'b' } }, { idempotency: false })).not.toThrow()
    expect(() => add({ tenant: { id: 'c', toString: () => 'c' } })).not.toThrow()
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

  test('distinguishes large bodies by a digest without keeping them', async () => {
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
