import { AsyncLocalStorage } from 'node:async_hooks'
import { memoryStore, OncekeyError, OptionsError } from '@oncekey/core'
import { describe, expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, coveredApp, post, until } from './app.ts'

describe('the plugin', () => {
  test('runs a handler once per key and replays its response to retries', async () => {
    const { app } = await coveredApp()
    let runs = 0
    app.post('/orders', async (request, reply) => {
      runs += 1
      return reply.code(201).header('location', '/orders/1').send({ id: runs, got: request.body })
    })
    const first = await post(app, '/orders', { key: 'k', body: { item: 'kettle' } })
    expect(first).toMatchObject({ status: 201, replayed: false })
    expect(first.body).toBe('{"id":1,"got":{"item":"kettle"}}')
    for (const _ of [1, 2]) {
      const again = await post(app, '/orders', { key: 'k', body: { item: 'kettle' } })
      expect(again).toMatchObject({ status: 201, body: first.body, replayed: true })
      expect(again.headers).toEqual({
        ...first.headers,
        date: expect.anything(),
        'x-idempotency-replayed': 'true',
      })
    }
    expect(runs).toBe(1)
  })

  test('works the same through inject', async () => {
    const { app } = await coveredApp()
    let runs = 0
    app.post('/orders', async () => ({ id: ++runs }))
    const headers = { 'idempotency-key': 'k' }
    const send = () =>
      app.inject({ method: 'POST', url: '/orders', headers, payload: { item: 'kettle' } })
    expect((await send()).json()).toEqual({ id: 1 })
    const again = await send()
    expect(again.json()).toEqual({ id: 1 })
    expect(again.headers['x-idempotency-replayed']).toBe('true')
  })

  test('covers POST and PATCH only', async () => {
    const { app } = await coveredApp()
    const seen: unknown[] = []
    app.route({
      method: ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'],
      url: '/x',
      handler: async (request) => {
        seen.push([request.method, request.idempotency === null])
        return {}
      },
    })
    app.get('/y', async (request) => {
      seen.push(['GET', request.idempotency === null])
      return {}
    })
    for (const method of ['GET', 'PUT', 'DELETE']) await post(app, '/x', { method })
    await post(app, '/y', { method: 'GET' })
    expect((await post(app, '/y', { method: 'HEAD' })).status).toBe(200)
    for (const method of ['POST', 'PATCH']) {
      expect((await post(app, '/x', { method })).status).toBe(400)
      await post(app, '/x', { method, key: method })
    }
    expect(seen).toEqual([
      ['GET', true],
      ['PUT', true],
      ['DELETE', true],
      ['GET', true],
      ['GET', true],
      ['POST', false],
      ['PATCH', false],
    ])
  })

  test('covers a GET on request, with its HEAD', async () => {
    const { app } = await coveredApp({ methods: ['GET'] })
    let runs = 0
    app.get('/x', { config: { idempotency: { waitMs: 10 } } }, async () => ({ runs: ++runs }))
    expect((await post(app, '/x', { method: 'GET', key: 'k' })).body).toBe('{"runs":1}')
    expect(await post(app, '/x', { method: 'GET', key: 'k' })).toMatchObject({ replayed: true })
    expect((await post(app, '/x', { method: 'HEAD', key: 'k' })).replayed).toBe(false)
  })

  test('never stores its own refusals, so the first client still gets its response', async () => {
    const { app } = await coveredApp()
    let release: (() => void) | undefined
    app.post('/orders', async () => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return { id: 1 }
    })
    const first = post(app, '/orders', { key: 'k', body: { item: 'kettle' } })
    await until(() => release)
    const early = await post(app, '/orders', { key: 'k', body: { item: 'kettle' } })
    expect(early).toMatchObject({ status: 409, replayed: false })
    expect(early.headers['content-type']).toBe('application/problem+json')
    expect(early.headers['retry-after']).toBe('1')
    release?.()
    expect((await first).body).toBe('{"id":1}')
    const other = await post(app, '/orders', { key: 'k', body: { item: 'pan' } })
    expect(other).toMatchObject({ status: 422, replayed: false })
    expect(JSON.parse(other.body)).toMatchObject({ code: 'key-reused', retry: 'new-key' })
    expect(await post(app, '/orders', { key: 'k', body: { item: 'kettle' } })).toMatchObject({
      status: 200,
      body: '{"id":1}',
      replayed: true,
    })
  })

  test('responds 503 when the store fails, and the handler does not run (R3, R4)', async () => {
    const store = memoryStore()
    const { app } = await coveredApp({
      store: { ...store, begin: () => Promise.reject(new Error('down')) },
    })
    let runs = 0
    app.post('/orders', async () => ({ id: ++runs }))
    const got = await post(app, '/orders', { key: 'k' })
    expect(got.status).toBe(503)
    expect(JSON.parse(got.body).code).toBe('store-unavailable')
    expect(runs).toBe(0)
  })

  test('refuses two key lines, and takes a quoted comma as part of the key', async () => {
    const { app } = await coveredApp()
    app.post('/orders', async (request) => ({ key: request.idempotency?.key }))
    const twice = await post(app, '/orders', { headers: { 'Idempotency-Key': ['a', 'b'] } })
    expect(twice.status).toBe(400)
    const quoted = await post(app, '/orders', { key: '"a, b"' })
    expect(quoted.body).toBe('{"key":"a, b"}')
    const inject = await app.inject({
      method: 'POST',
      url: '/orders',
      headers: { 'Idempotency-Key': '"a, b"' },
    })
    expect(inject.headers['x-idempotency-replayed']).toBe('true')
  })

  test('gives a request without a key a transaction and events, too', async () => {
    const { app, store } = await coveredApp({ required: false })
    app.post('/orders', async (request) => {
      const { idempotency } = request
      const tx = (await idempotency?.transaction()) as { set(name: string, value: unknown): void }
      tx.set('order', 1)
      idempotency?.emit({ type: 'order.created' })
      return { key: idempotency?.key ?? null }
    })
    expect((await post(app, '/orders', { body: {} })).body).toBe('{"key":null}')
    expect(store.data.get('order')).toBe(1)
    expect(store.events).toHaveLength(1)
  })

  test('types once.of(request) by the store; it throws on uncovered routes', async () => {
    const store = memoryStore()
    const once = idempotency.with({ store, scope: () => 'ana' })
    const app = bareApp()
    await app.register(once)
    app.post('/orders', async (request) => {
      const tx = await once.of(request).transaction()
      tx.set('order', 7)
      return { same: once.of(request) === request.idempotency }
    })
    app.get('/orders', async (request) => once.of(request).scope)
    expect((await post(app, '/orders', { key: 'k' })).body).toBe('{"same":true}')
    expect(store.data.get('order')).toBe(7)
    const wrong = await app.inject('/orders')
    expect(wrong.json()).toMatchObject({ statusCode: 500, code: 'not-covered' })
  })

  test('sets request.idempotency per request, null before the claim', async () => {
    const { app } = await coveredApp()
    const seen: unknown[] = []
    app.addHook('preHandler', async (request) => {
      seen.push(request.idempotency)
    })
    app.post('/orders', async (request) => ({ key: request.idempotency?.key }))
    await Promise.all(
      ['a', 'b', 'c'].map(async (key) =>
        expect((await post(app, '/orders', { key })).body).toBe(JSON.stringify({ key })),
      ),
    )
    expect(seen).toEqual([null, null, null])
  })
})

test('preserves an AsyncLocalStorage that a hook entered, in the handler and in onSend', async () => {
  const local = new AsyncLocalStorage<string>()
  const app = bareApp()
  const seen: unknown[] = []
  app.addHook('onRequest', (request, _reply, done) => local.run(request.id, done))
  await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
  app.addHook('onSend', async (request) => void seen.push([request.id, local.getStore()]))
  app.post('/x', async (request) => {
    seen.push([request.id, local.getStore()])
    return {}
  })
  await Promise.all(['a', 'b', 'c'].map((key) => post(app, '/x', { key, body: { key } })))
  expect(seen).toHaveLength(6)
  for (const [id, stored] of seen as [string, string][]) expect(stored).toBe(id)
})

describe('options', () => {
  test('are validated when the plugin is registered', async () => {
    const app = bareApp()
    await expect(app.register(idempotency, { store: memoryStore() } as never)).rejects.toThrow(
      /scope is missing/,
    )
    expect(() => idempotency.with({ scope: () => 'ana' } as never)).toThrow(OptionsError)
    expect(() =>
      idempotency.with({ store: memoryStore(), scope: () => 'a', fingerprint: 'x' as never }),
    ).toThrow(/fingerprint/)
  })

  test('of a route override those of the plugin, and are validated at registration', async () => {
    const { app } = await coveredApp()
    const handler = async () => ({})
    app.post('/lax', { config: { idempotency: { required: false } } }, handler)
    app.post('/other', { config: { idempotency: { header: 'X-Key' } } }, handler)
    app.post('/off', { config: { idempotency: false } }, async (request) => ({
      off: request.idempotency === null,
    }))
    app.put('/put', { config: { idempotency: { methods: ['PUT'] } } }, handler)
    expect(() => app.post('/bad', { config: { idempotency: { waitMs: -1 } } }, handler)).toThrow(
      /config.idempotency of POST \/bad: waitMs/,
    )
    expect(() => app.post('/worse', { config: { idempotency: true as never } }, handler)).toThrow(
      OptionsError,
    )
    expect(() => app.put('/never', { config: { idempotency: {} } }, handler)).toThrow(
      /PUT is not covered; add `methods: \['PUT'\]`/,
    )
    expect((await post(app, '/lax')).status).toBe(200)
    expect((await post(app, '/off')).body).toBe('{"off":true}')
    expect((await post(app, '/other', { key: 'k' })).status).toBe(400)
    expect((await post(app, '/other', { headers: { 'x-key': 'k' } })).status).toBe(200)
    expect((await post(app, '/put', { method: 'PUT' })).status).toBe(400)
  })

  test('of a route with a prefix apply to both of its paths', async () => {
    const { app } = await coveredApp()
    await app.register(
      async (orders) => {
        orders.post('/', async () => ({}))
      },
      { prefix: '/orders' },
    )
    expect((await post(app, '/orders')).status).toBe(400)
    expect((await post(app, '/orders/')).status).toBe(400)
    expect((await post(app, '/orders/', { key: 'k' })).status).toBe(200)
  })

  test('do not change a hook array shared by routes', async () => {
    const { app } = await coveredApp()
    const preHandler = [async () => {}]
    app.post('/a', { preHandler }, async () => ({}))
    app.post('/b', { preHandler }, async () => ({}))
    expect(preHandler).toHaveLength(1)
    expect((await post(app, '/a', { key: 'k' })).status).toBe(200)
  })

  test('are refused when registered twice above one route, but not beside it', async () => {
    const { app } = await coveredApp()
    await expect(
      app.register(idempotency, { store: memoryStore(), scope: () => 'ana' }),
    ).rejects.toMatchObject({ code: 'mounted-twice' })

    const root = bareApp()
    for (const [prefix, header] of [
      ['/a', 'A-Key'],
      ['/b', 'B-Key'],
    ] as const) {
      await root.register(
        async (child) => {
          await child.register(idempotency, { store: memoryStore(), scope: () => 'ana', header })
          child.post('/x', async () => ({ header }))
        },
        { prefix },
      )
    }
    root.post('/bare', async () => 'bare')
    expect((await post(root, '/a/x', { headers: { 'a-key': 'k' } })).body).toBe(
      '{"header":"A-Key"}',
    )
    expect((await post(root, '/b/x', { headers: { 'a-key': 'k' } })).status).toBe(400)
    expect((await post(root, '/bare')).body).toBe('bare')
  })

  test('make a route registered before the plugin loaded fail instead of running unprotected', async () => {
    const app = bareApp()
    app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
    let runs = 0
    app.post('/orders', async () => ({ runs: ++runs }))
    app.post('/said', { config: { idempotency: false } }, async () => 'said')
    app.get('/orders', async () => 'read')
    const got = await post(app, '/orders', { key: 'k' })
    expect(got.status).toBe(500)
    expect(JSON.parse(got.body)).toMatchObject({ code: 'not-covered' })
    expect(runs).toBe(0)
    expect((await post(app, '/said')).body).toBe('said')
    expect((await post(app, '/orders', { method: 'GET' })).body).toBe('read')
    expect((await post(app, '/nowhere')).status).toBe(404)
  })

  test('pass an error of scope to the app', async () => {
    const { app } = await coveredApp({ scope: () => '' })
    app.post('/orders', async () => ({}))
    app.setErrorHandler((error, _request, reply) =>
      reply
        .code(500)
        .send({ code: (error as OncekeyError).code, ours: error instanceof OncekeyError }),
    )
    expect((await post(app, '/orders', { key: 'k' })).body).toBe(
      '{"code":"scope-invalid","ours":true}',
    )
  })
})
