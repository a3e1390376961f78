import { once as event } from 'node:events'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/koa'
import Koa, { type Context, type Middleware } from 'koa'
import Koa2 from 'koa2'
import { describe, expect, test } from 'vitest'
import { deferred } from '../../../core/src/time/deferred.ts'
import { served } from '../support/served.ts'

/** Middleware outside that answers for handlers, which only leave a result. */
const envelope: Middleware = async (ctx, next) => {
  await next()
  ctx.body = { code: 0, data: ctx.state.result }
}

for (const [version, Application] of [['Koa 3', Koa] as const, ['Koa 2', Koa2] as const]) {
  /** A handler that writes a row and an event, and answers nothing, behind that middleware. */
  async function site(outside: Middleware, mode: 'transaction' | 'lease' = 'transaction') {
    const store = memoryStore({ mode })
    const once = idempotency({ store, scope: 'dangerously-shared', handlerTimeoutMs: 200 })
    let runs = 0
    const app = new Application().use(outside).use(once)
    app.use(async (ctx) => {
      runs += 1
      const { transaction, emit } = once.of(ctx)
      const tx = await transaction()
      tx.set('order', runs)
      emit({ type: 'order.created', subject: String(runs) })
      ctx.state.result = { id: runs }
    })
    const { post } = await served(app)
    const kept = () => [store.data.get('order'), store.events.length]
    return { post, kept, runs: () => runs }
  }

  describe(`${version}: a handler that answers nothing`, () => {
    // A bug: the client was told of a success, every write and event of it was undone, and each
    // retry ran the handler again.
    test.each(['transaction', 'lease'] as const)(
      'is kept with the success that middleware outside answers, in %s mode',
      async (mode) => {
        const { post, kept, runs } = await site(envelope, mode)
        const first = await post('/')
        expect(first).toMatchObject({ status: 200, text: '{"code":0,"data":{"id":1}}' })
        expect(kept()).toEqual([1, 1])
        expect(await post('/')).toMatchObject({ status: 200, text: first.text, replayed: true })
        expect(runs()).toBe(1)
      },
    )

    const answers: Readonly<Record<string, (ctx: Context) => void>> = {
      'a status alone'(ctx) {
        ctx.status = 202
      },
      'an empty body'(ctx) {
        ctx.body = null
      },
      'what is written past Koa'(ctx) {
        ctx.respond = false
        ctx.res.writeHead(201).end('made')
      },
      'what is written past Koa, which does not know'(ctx) {
        ctx.res.writeHead(201).end('made')
      },
    }
    for (const [answer, act] of Object.entries(answers)) {
      test(`is kept with ${answer}`, async () => {
        const { post, kept, runs } = await site(async (ctx, next) => {
          await next()
          act(ctx)
        })
        const first = await post('/')
        expect([first.status < 300, kept()]).toEqual([true, [1, 1]])
        const again = await post('/')
        expect(again).toMatchObject({ status: first.status, text: first.text, replayed: true })
        expect(runs()).toBe(1)
      })
    }

    test('is undone with a refusal, which is kept', async () => {
      const { post, kept, runs } = await site(async (ctx, next) => {
        await next()
        ctx.status = 422
        ctx.body = 'no'
      })
      expect(await post('/')).toMatchObject({ status: 422, text: 'no' })
      expect(await post('/')).toMatchObject({ status: 422, text: 'no', replayed: true })
      expect([kept(), runs()]).toEqual([[undefined, 0], 1])
    })

    const pages: Readonly<Record<string, Middleware>> = {
      async 'is written'(ctx, next) {
        await next()
        if (ctx.status !== 404) return
        ctx.status = 404
        ctx.body = 'no such page'
      },
      async 'is thrown'(ctx, next) {
        await next()
        if (ctx.status === 404) ctx.throw(404, 'no such page')
      },
    }
    for (const [how, page] of Object.entries(pages)) {
      // A bug: the 404 of a request that no route took was kept, and replayed after the deploy that
      // added the route.
      test(`is undone, and its key free, if an app's own 404 page ${how}`, async () => {
        const { post, kept, runs } = await site(page)
        expect(await post('/')).toMatchObject({ status: 404, text: 'no such page' })
        expect(await post('/')).toMatchObject({ status: 404, replayed: false })
        expect([kept(), runs()]).toEqual([[undefined, 0], 2])
      })
    }

    test('is undone, and its key free, if nobody outside answers either', async () => {
      const { post, kept, runs } = await site((_, next) => next())
      expect(await post('/')).toMatchObject({ status: 404, text: 'Not Found' })
      expect(await post('/')).toMatchObject({ status: 404, replayed: false })
      expect([kept(), runs()]).toEqual([[undefined, 0], 2])
    })

    // A bug: the key was free although the handler may have acted outside, or still did.
    test('is not run again in lease mode, where nothing undoes what it did', async () => {
      const { post, runs } = await site((_, next) => next(), 'lease')
      expect(await post('/')).toMatchObject({ status: 404, text: 'Not Found' })
      expect(await post('/')).toMatchObject({ status: 404, text: 'Not Found', replayed: true })
      expect(runs()).toBe(1)
    })

    test('gets the problem of its timeout, if middleware outside waited for that', async () => {
      const { post } = await site(async (ctx, next) => {
        await next()
        await event(ctx.idempotency?.signal as AbortSignal, 'abort')
      })
      expect(await post('/')).toMatchObject({ status: 503 })
    })
  })

  // A bug: its key was given away while it ran.
  test(`${version}: a handler that nobody waited for is not run again in lease mode`, async () => {
    const once = idempotency({
      store: memoryStore({ mode: 'lease' }),
      scope: 'dangerously-shared',
      whenUnknown: 'hold',
    })
    const [answered, charged] = [deferred<void>(), deferred<void>()]
    let charges = 0
    const app = new Application().use(once)
    app.use((_, next) => void next()) // the `return` was forgotten
    app.use(async (ctx) => {
      await answered.promise
      charges += 1
      ctx.body = 'charged'
      charged.resolve()
    })
    const { post } = await served(app)
    expect(await post('/')).toMatchObject({ status: 404 })
    answered.resolve()
    await charged.promise
    expect(await post('/')).toMatchObject({ status: 404, replayed: true })
    expect(charges).toBe(1)
  })

  // A bug: `ctx.cookies` threw, and the app got an error for every replay and every problem.
  test(`${version}: a cookie that middleware outside sets after a replay is no error`, async () => {
    const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
    const errors: unknown[] = []
    const app = new Application().on('error', (error) => errors.push(error))
    app.use(async (ctx, next) => {
      await next()
      ctx.cookies.set('visit', '1')
    })
    app.use(once).use((ctx) => {
      ctx.body = 'done'
    })
    const { post } = await served(app)
    expect((await post('/')).headers.getSetCookie()).toEqual(['visit=1; path=/; httponly'])
    const again = await post('/')
    expect(again).toMatchObject({ status: 200, text: 'done', replayed: true })
    expect(await post('/', { key: '"' })).toMatchObject({ status: 400 })
    expect([again.headers.getSetCookie(), errors]).toEqual([[], []])
  })
}
