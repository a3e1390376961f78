import { createServer } from 'node:http'
import { memoryStore } from '@oncekey/core'
import Koa from 'koa'
import { expect, test } from 'vitest'
import { listening } from '../http2-front.ts'
import { type IdempotencyOptions, idempotency } from './idempotency.ts'

// What the contract suite cannot see of the adapter in docs/adapters.md: it knows no `ctx`, and its
// handlers return their response as a whole.

test("an app's functions are called with Koa's ctx", async () => {
  const seen: unknown[] = []
  const key = (ctx: unknown) => {
    seen.push((ctx as Koa.Context).state.user)
    return 'from-the-context'
  }
  await using site = await serve({ key }, (ctx) => {
    ctx.body = 'done'
  })
  expect((await post(site.url)).status).toBe(200)
  expect(seen).toEqual(['ana'])
})

test('a handler that throws after it began to respond leaves no client waiting', async () => {
  await using site = await serve({}, (ctx) => {
    ctx.res.write('the first half')
    throw new Error('of the handler')
  })
  await expect(post(site.url)).rejects.toThrow('fetch failed')
})

async function serve(
  options: Partial<IdempotencyOptions<unknown>>,
  handler: (ctx: Koa.Context) => void,
) {
  const app = new Koa()
  app.silent = true
  app.use((ctx, next) => {
    ctx.state.user = 'ana'
    return next()
  })
  app.use(idempotency({ store: memoryStore(), scope: (ctx) => ctx.state.user, ...options }))
  app.use(handler)
  const { url, close } = await listening(createServer(app.callback()))
  return { url, [Symbol.asyncDispose]: close }
}

function post(url: string): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'idempotency-key': 'k-1' } })
}
