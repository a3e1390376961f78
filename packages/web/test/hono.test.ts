import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/web/hono'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { cors } from 'hono/cors'
import { validator } from 'hono/validator'
import { describe, expect, test } from 'vitest'
import { post, replayed, site } from './hono-app.ts'

test('reads signatures and keys from the received bytes even with a custom fingerprint', async () => {
  const signed: string[] = []
  const { app, once } = site({
    fingerprint: async (c) => (await c.req.json()).id,
    key: async (_, raw) => JSON.parse(Buffer.from(await raw()).toString()).id,
    authenticate: (_, bytes) => void signed.push(Buffer.from(bytes).toString()),
  })
  app.post('/orders', once, async (c) => c.text(await c.req.text()))
  for (const body of ['{"id":"o-1"}', '{"id":"o-1","at":2}']) {
    expect(JSON.parse(await (await post(app, 'k', { body })).text())).toEqual({ id: 'o-1' })
    expect(signed.pop()).toBe(body)
  }
})

// A bug: `Request` leaves `patch` as it is, and Hono's `all` passes it on: it ran each time.
test('covers a method in lower case', async () => {
  const { app, once } = site()
  let runs = 0
  app.all('/orders', once, (c) => c.json({ runs: ++runs }))
  const patch = () =>
    app.request('/orders', { method: 'patch', body: '1', headers: { 'idempotency-key': 'k' } })
  expect(await (await patch()).json()).toEqual({ runs: 1 })
  expect(replayed(await patch())).toBe(true)
})

describe('mounted', () => {
  const ways: Record<string, (options: ReturnType<typeof site>) => { app: Hono; path: string }> = {
    'on the app': ({ app, once }) => {
      app.use(once)
      app.post('/orders', (c) => c.json(count()))
      return { app, path: '/orders' }
    },
    'on a path': ({ app, once }) => {
      app.use('/orders/*', once)
      app.post('/orders', (c) => c.json(count()))
      return { app, path: '/orders' }
    },
    'on a route': ({ app, once }) => {
      app.post('/orders/:id', once, (c) => c.json({ ...count(), id: c.req.param('id') }))
      return { app, path: '/orders/7' }
    },
    'under a base path': ({ app, once }) => {
      const api = app.basePath('/api/v1')
      api.use(once)
      api.post('/orders', (c) => c.json(count()))
      return { app, path: '/api/v1/orders' }
    },
    'on an app that is routed to': ({ app, once }) => {
      app.route(
        '/api',
        new Hono().use(once).post('/orders', (c) => c.json(count())),
      )
      return { app, path: '/api/orders' }
    },
    'on such an app with an onError of its own': ({ app, once }) => {
      const orders = new Hono().use(once).post('/orders', (c) => c.json(count()))
      orders.onError((error, c) => c.text(error.message, 500))
      app.route('/api', orders)
      return { app, path: '/api/orders' }
    },
    'on an app inside another server': ({ app, once }) => {
      const orders = new Hono().use(once).post('/orders', (c) => c.json(count()))
      app.mount('/shop', orders.fetch)
      return { app, path: '/shop/orders' }
    },
  }
  let runs = 0
  const count = () => ({ runs: ++runs })

  test.each(Object.keys(ways))('%s it covers everything behind it', async (way) => {
    const { app, path } = (ways[way] as (typeof ways)[string])(site())
    runs = 0
    const answers = [await post(app, 'k', { path }), await post(app, 'k', { path })]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(answers.map(replayed)).toEqual([false, true])
    expect(runs).toBe(1)
    expect((await post(app, 'k', { path, body: '{"amount":2}' })).status).toBe(422)
    expect((await post(app, 'k', { path: `${path}?by=post` })).status).toBe(422)
  })

  test('twice for one request it reports the mistake, and the key is not stuck', async () => {
    const { app, once } = site()
    const other = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
    app.onError((error, c) => c.json({ code: (error as { code?: string }).code }, 500))
    app.use(once)
    app.post('/same', once, (c) => c.text('never'))
    app.post('/other', other, (c) => c.text('never'))
    for (const path of ['/same', '/other', '/same', '/other']) {
      const answer = await post(app, path, { path })
      expect([answer.status, await answer.json()]).toEqual([500, { code: 'mounted-twice' }])
    }
  })

  test('it ignores methods that it does not cover', async () => {
    const { app, once } = site()
    app.use(once)
    app.get('/orders', (c: Context) => c.json({ context: c.get('idempotency') ?? null }))
    expect(await (await app.request('/orders')).json()).toEqual({ context: null })
  })

  test('it neither stores nor replays what a middleware before it responds', async () => {
    const { app, once } = site()
    app.use((c, next) =>
      c.req.header('authorization') === undefined
        ? Promise.resolve(c.text('who are you', 401))
        : next(),
    )
    app.post('/orders', once, (c) => c.text('done'))
    const headers = { authorization: 'ana' }
    expect((await post(app, 'k')).status).toBe(401)
    expect((await post(app, 'k', { headers })).status).toBe(200)
    expect((await post(app, 'k')).status).toBe(401)
    expect(replayed(await post(app, 'k', { headers }))).toBe(true)
  })
})

describe('the handler', () => {
  test('gets the same context from c.var and from once.of(c)', async () => {
    const { app, once, store } = site({ scope: (c) => c.req.header('x-account') ?? '' })
    app.post('/orders', once, async (c) => {
      const tx = await c.var.idempotency.transaction()
      tx.set('order', c.var.idempotency.key)
      once.of(c).emit({ type: 'order.created', subject: 'o1' })
      return c.json({ same: once.of(c) === c.get('idempotency'), scope: once.of(c).scope })
    })
    const answer = await post(app, 'k', { headers: { 'x-account': 'ana' } })
    expect(await answer.json()).toEqual({ same: true, scope: 'ana' })
    expect([store.data.get('order'), store.events.map(({ type }) => type)]).toEqual([
      'k',
      ['order.created'],
    ])
  })

  test('gets an error where there is no context', async () => {
    const { app, once } = site()
    app.get('/orders', (c) => c.json(once.of(c)))
    app.onError((error, c) => c.text(error.message, 500))
    const answer = await app.request('/orders')
    expect(await answer.text()).toMatch(/GET \/orders.*it covers POST, PATCH/)
  })

  test('of an uncovered method fails as behind any other middleware', async () => {
    const { once } = site()
    const other: MiddlewareHandler = async (_, next) => {
      await next()
    }
    const errorOf = async (middleware: MiddlewareHandler) => {
      const one = new Hono()
      const errors: string[] = []
      one.onError((error, c) => {
        errors.push(error.message)
        return c.text('failed', 500)
      })
      one.use(middleware)
      one.get('/orders', () => undefined as unknown as Response)
      const answer = await one.request('/orders')
      return [answer.status, await answer.text(), errors]
    }
    expect(await errorOf(once)).toEqual(await errorOf(other))
  })

  test.each([
    ['returns the same Response twice', (shared: Response) => () => shared],
    ['returns nothing', () => () => undefined as unknown as Response],
  ])('that %s causes an error without its headers, and the key is free', async (_, handler) => {
    const { app, once } = site()
    const shared = new Response('done', { headers: { location: '/orders/1' } })
    await shared.text()
    app.onError((error, c) => c.text(error.message, 500))
    app.use(cors(), once)
    app.post('/orders', handler(shared))
    for (const _ of [1, 2]) {
      const answer = await post(app, 'k')
      expect(answer.status).toBe(500)
      expect(await answer.text()).toMatch(/must return a Response|disturbed or locked/)
      expect(answer.headers.get('location')).toBeNull()
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    }
  })
})

describe('the body is fingerprinted as received', () => {
  const json = validator('json', (value: { amount?: number }) => ({ amount: value.amount ?? 0 }))

  test.each(['before', 'after'])('with a validator %s', async (where) => {
    const { app, once } = site()
    if (where === 'before') app.post('/orders', json, once, (c) => c.json(c.req.valid('json')))
    else app.post('/orders', once, json, (c) => c.json(c.req.valid('json')))
    const first = await post(app, 'k', { body: '{"amount":1,"extra":true}' })
    expect(await first.json()).toEqual({ amount: 1 })
    expect(replayed(await post(app, 'k', { body: '{ "extra": true, "amount": 1 }' }))).toBe(true)
    expect((await post(app, 'k', { body: '{"amount":1}' })).status).toBe(422)
  })

  test('including digits past 2^53, even after c.req.json() has read them', async () => {
    const { app, once } = site()
    app.use(async (c, next) => {
      await c.req.json()
      await next()
    })
    app.post('/orders', once, (c) => c.text('done'))
    expect((await post(app, 'k', { body: '{"n":9007199254740993}' })).status).toBe(200)
    expect((await post(app, 'k', { body: '{"n":9007199254740992}' })).status).toBe(422)
  })

  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const readers: Record<string, (c: Context) => Promise<unknown>> = {
    'text()': (c) => c.req.text(),
    'arrayBuffer()': (c) => c.req.arrayBuffer(),
    'blob()': (c) => c.req.blob(),
    'parseBody()': (c) => c.req.parseBody(),
  }
  test.each(Object.keys(readers))(
    'after c.req.%s has read it, and remains for the handler',
    async (name) => {
      const { app, once } = site()
      app.use(async (c, next) => {
        await readers[name]?.(c)
        await next()
      })
      app.post('/orders', once, async (c) => c.json(await c.req.parseBody()))
      const first = await post(app, 'k', { body: 'a=1&b=2', headers: form })
      expect(await first.json()).toEqual({ a: '1', b: '2' })
      expect(replayed(await post(app, 'k', { body: 'a=1&b=2', headers: form }))).toBe(true)
      expect((await post(app, 'k', { body: 'a=1&b=3', headers: form })).status).toBe(422)
    },
  )

  test('unless something bypassed Hono to read it, which is reported unless a fingerprint is given', async () => {
    const { app, once } = site()
    const chosen = idempotency({
      store: memoryStore(),
      scope: 'dangerously-shared',
      fingerprint: (c) => c.req.header('x-amount'),
    })
    app.onError((error, c) => c.text(error.message, 500))
    app.use(async (c, next) => {
      if (c.req.path === '/form') await c.req.formData()
      else await c.req.raw.text()
      await next()
    })
    app.post('/orders', once, (c) => c.text('never'))
    app.post('/form', once, (c) => c.text('never'))
    app.post('/chosen', chosen, (c) => c.text('done'))
    expect(await (await post(app, 'k')).text()).toMatch(/c\.req\.raw/)
    expect(await (await post(app, 'k', { path: '/form', headers: form })).text()).toMatch(/form/)
    const ask = (amount: string) =>
      post(app, 'k', { path: '/chosen', headers: { 'x-amount': amount } })
    const statuses = [await ask('1'), await ask('1'), await ask('2')].map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 422])
  })

  test('and the raw request remains complete for the handler', async () => {
    const { app, once } = site()
    app.post('/orders', once, async (c) => c.body(await c.req.raw.text()))
    expect(await (await post(app, 'k')).text()).toBe('{"amount":1}')
  })

  test.each(['before', 'after'])('and refused over maxRequestBytes: a limit %s', async (where) => {
    const { app, once } = site({ maxRequestBytes: 10 })
    const reads = bodyLimit({ maxSize: 1000 })
    app.use(...(where === 'before' ? [reads, once] : [once, reads]))
    app.post('/orders', (c) => c.text('ok'))
    const refused = await post(app, 'k', { body: '{"amount":100}' })
    expect([refused.status, await refused.json()]).toMatchObject([
      413,
      { code: 'request-too-large' },
    ])
    expect((await post(app, 'k', { body: '{"a":1234}' })).status).toBe(200)
  })

  test('and refused over maxRequestBytes even if it was read before', async () => {
    const { app, once } = site({ maxRequestBytes: 10 })
    app.post('/orders', json, once, (c) => c.text('never'))
    expect((await post(app, 'k')).status).toBe(413)
  })
})

test('options are validated when the middleware is created', () => {
  const make = (options: object) => () =>
    idempotency({ store: memoryStore(), scope: 'dangerously-shared', ...options } as never)
  expect(make({ scope: undefined })).toThrow('scope is missing')
  expect(make({ fingerprint: 'body' })).toThrow('fingerprint must be a function')
  expect(make({ maxRequestBytes: 0 })).toThrow('maxRequestBytes must be')
})
