import type { MiddlewareHandler } from 'hono'
import { describe, expect, test } from 'vitest'
import { post, replayed, site } from './hono-app.ts'

/** Middleware outside that answers what `app.onError` is not given: values that are no Errors. */
const answersThrown: MiddlewareHandler = async (c, next) => {
  try {
    await next()
  } catch (thrown) {
    if (thrown instanceof Response) return thrown
    return c.json({ thrown }, 500)
  }
  return undefined
}

// A bug: Hono took the empty 200 from which onError starts for the answer, and dropped this one.
describe('a thrown value that is no Error', () => {
  test.each([
    ['a Response', () => new Response('gone', { status: 410 }), 410, 'gone'],
    ['a plain object', () => ({ code: 7 }), 500, '{"thrown":{"code":7}}'],
  ])(
    '%s, is answered by middleware outside, and nothing is kept',
    async (_, made, status, text) => {
      const { app, once, store } = site()
      let fails = true
      app.use(answersThrown)
      app.post('/orders', once, async (c) => {
        const tx = await c.var.idempotency.transaction()
        tx.set('order', 1)
        c.header('x-order', '1')
        if (fails) throw made()
        return c.json({ id: 1 }, 201)
      })
      const answer = await post(app, 'k')
      expect([answer.status, await answer.text()]).toEqual([status, text])
      expect(store.data.size).toBe(0)
      fails = false
      expect((await post(app, 'k')).status).toBe(201)
      expect(replayed(await post(app, 'k'))).toBe(true)
    },
  )

  test('is no success where middleware outside only logs it', async () => {
    const { app, once } = site()
    app.use(async (_, next) => {
      await next().catch(() => {})
    })
    app.post('/orders', once, () => {
      throw { code: 7 }
    })
    app.onError((_, c) => c.text('failed', 500))
    expect((await post(app, 'k')).status).toBe(500)
  })
})
