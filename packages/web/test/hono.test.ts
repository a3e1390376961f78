import { type MemoryTransaction, memoryStore, type Store } from '@oncekey/core'
import { type IdempotencyOptions, idempotency } from '@oncekey/web/hono'
import { type Context, type Env, Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { setCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { stream, streamSSE } from 'hono/streaming'
import { timeout } from 'hono/timeout'
import { validator } from 'hono/validator'
import { describe, expect, test, vi } from 'vitest'
import { post, replayed, site } from './hono-app.ts'

type Options = Partial<IdempotencyOptions<MemoryTransaction, Env>>

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

describe('an error becomes the response that onError makes of it', () => {
  function shop(options: Options = {}) {
    const { app, once, store } = site(options)
    let runs = 0
    app.use(once)
    app.post('/:status', async (c) => {
      runs += 1
      const tx = await once.of(c).transaction()
      tx.set(`order-${runs}`, true)
      const status = Number(c.req.param('status')) as 409
      throw status === (500 as number) ? new Error('broken') : new HTTPException(status)
    })
    return { app, store, runs: () => runs }
  }

  test('a 4xx is stored and replayed, and its writes are undone', async () => {
    const { app, store, runs } = shop()
    expect((await post(app, 'k', { path: '/409' })).status).toBe(409)
    expect(replayed(await post(app, 'k', { path: '/409' }))).toBe(true)
    expect([runs(), store.data.size]).toEqual([1, 0])
  })

  test('a 5xx leaves the key free', async () => {
    const { app, store, runs } = shop()
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    for (const _ of [1, 2]) expect((await post(app, 'k', { path: '/500' })).status).toBe(500)
    logged.mockRestore()
    expect([runs(), store.data.size]).toEqual([2, 0])
  })

  test('a status that commits keeps the writes', async () => {
    const { app, store } = shop({ disposition: { 402: 'commit' } })
    expect((await post(app, 'k', { path: '/402' })).status).toBe(402)
    expect(replayed(await post(app, 'k', { path: '/402' }))).toBe(true)
    expect([...store.data.keys()]).toEqual(['order-1'])
  })

  test('a mounted app uses its own onError', async () => {
    const { app, once } = site()
    const orders = new Hono()
    orders.onError((error, c) => c.json({ says: error.message }, 418))
    orders.use(once)
    orders.post('/orders', () => {
      throw new Error('short and stout')
    })
    app.route('/api', orders)
    for (const again of [false, true]) {
      const answer = await post(app, 'k', { path: '/api/orders' })
      expect([answer.status, replayed(answer)]).toEqual([418, again])
      expect(await answer.json()).toEqual({ says: 'short and stout' })
    }
  })

  test('an onError that throws, or a thrown value that is not an Error, stores nothing', async () => {
    const { app, once } = site()
    let fails = true
    app.use(once)
    app.post('/orders', (c) => {
      if (fails) throw 'no error'
      return c.text('done')
    })
    await expect(post(app, 'k')).rejects.toBe('no error')
    fails = false
    expect((await post(app, 'k')).status).toBe(200)

    const thrower = site()
    thrower.app.onError(() => {
      throw new Error('worse')
    })
    thrower.app.use(thrower.once)
    thrower.app.post('/orders', () => {
      throw new Error('bad')
    })
    for (const _ of [1, 2]) await expect(post(thrower.app, 'k')).rejects.toThrow('worse')
  })
})

describe('an undone response leaves nothing behind [e11h]', () => {
  const undone = { location: '/orders/1', etag: '"1"', 'x-outside': 'handler' }

  /** Sets headers outside, over a handler that sets many of its own. */
  function shop(options: Options, answer: () => string | ReadableStream = () => '1') {
    const { app, once } = site(options)
    app.use(cors(), async (c, next) => {
      c.header('x-outside', 'outside')
      await next()
    })
    app.onError((error, c) => c.text(error.message, 500))
    app.post('/orders', once, (c) => {
      c.header('set-cookie', 'order=1')
      return c.body(answer() as string, 201, undone)
    })
    return app
  }

  async function expectNothingOf(answer: Response, status: number) {
    expect(answer.status).toBe(status)
    expect(answer.headers.get('location')).toBeNull()
    expect(answer.headers.get('etag')).toBeNull()
    expect(answer.headers.getSetCookie()).toEqual([])
    expect(answer.headers.get('x-outside')).toBe('outside')
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  }

  function endingStore(complete: () => Promise<'stored' | 'superseded'>): Store<MemoryTransaction> {
    const store = memoryStore()
    return {
      ...store,
      async begin(claim) {
        const decision = await store.begin(claim)
        if (decision.kind !== 'run') return decision
        return { ...decision, attempt: { ...decision.attempt, complete } }
      },
    }
  }

  test.each([
    ['the commit fails', 503, 'commit-failed', () => Promise.reject(new Error('lost'))],
    ['another attempt won', 409, 'in-progress', async () => 'superseded' as const],
  ])('if %s', async (_, status, code, end) => {
    const answer = await post(shop({ store: endingStore(end) }), 'k')
    await expectNothingOf(answer, status)
    expect(await answer.json()).toMatchObject({ code })
  })

  test('if it is too large', async () => {
    const app = shop({ maxResponseBytes: 10 }, () => 'x'.repeat(11))
    await expectNothingOf(await post(app, 'k'), 500)
  })

  test('if its stream breaks, and the key is free', async () => {
    let whole = false
    const app = shop({}, () => {
      if (whole) return 'whole'
      return new ReadableStream({ start: (it) => it.error(new Error('broken')) })
    })
    const answer = await post(app, 'k')
    await expectNothingOf(answer, 500)
    expect(await answer.text()).toBe('broken')
    whole = true
    expect((await post(app, 'k')).status).toBe(201)
  })

  test('if it comes too late: neither headers, nor a body, nor an error', async () => {
    const { app, once } = site({ handlerTimeoutMs: 20 })
    const late: Promise<unknown>[] = []
    let told = (): void => {}
    app.use(async (c, next) => {
      await next()
      // The handler runs to its end before the answer is sent.
      told()
      await Promise.all(late)
      c.header('x-outside', 'after')
    })
    app.post('/orders', once, async (c) => {
      const heard = new Promise<void>((resolve) => {
        told = resolve
      })
      late.push(heard)
      await heard
      return c.json({ late: true }, 201, undone)
    })
    const answer = await post(app, 'k')
    expect([answer.status, answer.headers.get('location')]).toEqual([503, null])
    expect(answer.headers.get('x-outside')).toBe('after')
    expect(await answer.json()).toMatchObject({ code: 'handler-timeout' })
  })

  test("if Hono's own timeout responded first, and a retry runs", async () => {
    const { app, once, store } = site()
    const errors: string[] = []
    app.onError((error, c) => {
      errors.push(error.message)
      return c.text(error.message, (error as HTTPException).status)
    })
    let go = (): void => {}
    const slow = new Promise<void>((resolve) => {
      go = resolve
    })
    app.post('/orders', timeout(20), once, async (c) => {
      const tx = await c.var.idempotency.transaction()
      tx.set('order', 1)
      await slow
      return c.json({ id: 1 }, 201, undone)
    })
    const answer = await post(app, 'k')
    expect([answer.status, await answer.text()]).toEqual([504, 'Gateway Timeout'])
    go()
    await vi.waitFor(async () => expect((await post(app, 'k')).status).toBe(201))
    expect(store.data.get('order')).toBe(1)
    expect(replayed(await post(app, 'k'))).toBe(true)
    expect(new Set(errors)).toEqual(new Set(['Gateway Timeout']))
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

test("response: 'stream' sends an event before the next one is produced", async () => {
  const { app, once } = site({ response: 'stream' })
  let go = (): void => {}
  const second = new Promise<void>((resolve) => {
    go = resolve
  })
  app.post('/orders', once, (c) =>
    streamSSE(c, async (out) => {
      await out.writeSSE({ data: 'one' })
      await second
      await out.writeSSE({ data: 'two' })
    }),
  )
  const answer = await post(app, 'k')
  const reader = answer.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>
  const text = async () => new TextDecoder().decode((await reader.read()).value)
  expect(await text()).toBe('data: one\n\n')
  go()
  expect(await text()).toBe('data: two\n\n')
  expect((await reader.read()).done).toBe(true)
  const again = await post(app, 'k')
  expect([again.status, await again.json()]).toMatchObject([410, { code: 'result-gone' }])
})

test('options are validated when the middleware is created', () => {
  const make = (options: object) => () =>
    idempotency({ store: memoryStore(), scope: 'dangerously-shared', ...options } as never)
  expect(make({ scope: undefined })).toThrow('scope is missing')
  expect(make({ fingerprint: 'body' })).toThrow('fingerprint must be a function')
  expect(make({ maxRequestBytes: 0 })).toThrow('maxRequestBytes must be')
})

test('a stream() whose callback throws is undone if its onError rethrows', async () => {
  const { app, once } = site()
  let fails = true
  app.post('/orders', once, (c) =>
    stream(
      c,
      async (out) => {
        await out.write('half')
        if (fails) throw new Error('broken')
        await out.write(' and half')
      },
      async () => once.of(c).release(),
    ),
  )
  expect(await (await post(app, 'k')).text()).toBe('half')
  fails = false
  for (const again of [false, true]) {
    const answer = await post(app, 'k')
    expect([await answer.text(), replayed(answer)]).toEqual(['half and half', again])
  }
})

describe('a handler that was given up cannot change the answer by', () => {
  const login = (c: Context) =>
    c.json({ token: 'SECRET' }, 200, { 'set-cookie': 'session=SECRET', 'x-login': '1' })
  const ways: Record<string, (c: Context, kept: Context['header']) => void | Promise<void>> = {
    'c.res': (c) => {
      c.res = login(c)
    },
    'c.res, after it took away the one that was there': (c) => {
      c.res = undefined
      c.res = login(c)
    },
    'the headers of c.res': (c) => {
      c.res.headers.append('set-cookie', 'session=SECRET')
      c.res.headers.set('set-cookie', 'session=SECRET')
    },
    'a copy of c.res with a cookie': (c) => {
      c.res = new Response(c.res.body, { headers: { 'set-cookie': 'session=SECRET' }, status: 503 })
    },
    'a c.header that it kept': (_, header) => header('set-cookie', 'session=SECRET'),
    'a redirect': (c) => {
      c.res = c.redirect('/in', 302)
      c.header('Set-Cookie', 'session=SECRET')
    },
    'an error that onError answers': () => {
      throw new Error('late')
    },
    'an HTTPException with a response': (c) => {
      throw new HTTPException(401, { res: login(c) })
    },
  }

  test.each(Object.keys(ways))('%s', async (way) => {
    const { app, once } = site({ handlerTimeoutMs: 30 })
    const late = signal()
    const done = signal()
    app.use(async (c, next) => {
      c.header('set-cookie', 'theme=dark')
      await next()
      late.give()
      await done.given
      // Outer middleware does this with any response.
      c.res = new Response(c.res.body, c.res)
      c.header('x-after', '1')
    })
    app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : login(c)))
    // Takes the place where Hono has handled what the handler threw.
    app.post('/orders', once, async (_, next) => {
      try {
        await next()
      } finally {
        done.give()
      }
    })
    app.post('/orders', async (c) => {
      const { header } = c
      await late.given
      await ways[way]?.(c, header)
      return login(c)
    })
    const answer = await post(app, 'k')
    expect(answer.status).toBe(503)
    expect(answer.headers.getSetCookie()).toEqual(['theme=dark'])
    expect(answer.headers.get('x-login')).toBe(null)
    expect(answer.headers.get('x-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'handler-timeout' })
  })
})

test('middleware outside can still transform the 503 for a handler that was given up', async () => {
  const { app, once } = site({ handlerTimeoutMs: 30 })
  app.use(async (c, next) => {
    await next()
    const { code } = (await c.res.json()) as { code: string }
    c.res = c.json({ envelope: code }, 504)
  })
  app.use(compress({ threshold: 0 }))
  app.post('/orders', once, () => new Promise<Response>(() => {}))
  const answer = await post(app, 'k')
  expect(answer.status).toBe(504)
  expect(await answer.json()).toEqual({ envelope: 'handler-timeout' })
})

test('a login handler that was given up sets no cookie on the answer, however slowly that is sent', async () => {
  const { app, once } = site({ handlerTimeoutMs: 30 })
  let late = () => {}
  const isLate = new Promise<void>((resolve) => {
    late = resolve
  })
  let done = () => {}
  const isDone = new Promise<void>((resolve) => {
    done = resolve
  })
  app.use(async (c, next) => {
    c.header('set-cookie', 'theme=dark')
    await next()
    late()
    await isDone
    c.header('x-after', '1')
  })
  app.post('/orders', once, async (c) => {
    await isLate
    c.header('set-cookie', 'session=SECRET', { append: true })
    setCookie(c, 'session', 'SECRET')
    done()
    return c.json({ ok: true })
  })
  const answer = await post(app, 'k')
  expect(answer.status).toBe(503)
  expect(answer.headers.getSetCookie()).toEqual(['theme=dark'])
  expect(answer.headers.get('x-after')).toBe('1')
})

/** Lets one side of a test notify the other. */
function signal(): { readonly given: Promise<void>; give(): void } {
  let give = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give: () => give() }
}
