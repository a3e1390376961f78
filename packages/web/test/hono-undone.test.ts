import { type MemoryTransaction, memoryStore, type Store } from '@oncekey/core'
import type { IdempotencyOptions } from '@oncekey/web/hono'
import { type Env, Hono } from 'hono'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { stream } from 'hono/streaming'
import { timeout } from 'hono/timeout'
import { describe, expect, test, vi } from 'vitest'
import { post, replayed, site } from './hono-app.ts'

type Options = Partial<IdempotencyOptions<MemoryTransaction, Env>>

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

// A bug: the handler ran for a client that had been answered, and was then undone.
test("a request that Hono's own timeout answered while its key was claimed does not run", async () => {
  const store = memoryStore({ mode: 'lease' })
  let claim = (): void => {}
  const claimed = new Promise<void>((resolve) => {
    claim = resolve
  })
  const released = vi.fn()
  const begin: typeof store.begin = async (given) => {
    await claimed
    const decision = await store.begin(given)
    if (decision.kind !== 'run') return decision
    const { attempt } = decision
    const release = () => attempt.release().then(released)
    return { ...decision, attempt: { ...attempt, release } }
  }
  const { app, once } = site({ store: { ...store, begin }, whenUnknown: 'hold' })
  let runs = 0
  app.post('/orders', timeout(20), once, (c) => {
    runs += 1
    return c.json({ runs }, 201)
  })
  const answer = await post(app, 'k')
  expect([answer.status, await answer.text()]).toEqual([504, 'Gateway Timeout'])
  claim()
  await vi.waitFor(() => expect(released).toHaveBeenCalled())
  expect(runs).toBe(0)
  expect(await (await post(app, 'k')).json()).toEqual({ runs: 1 })
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
