import { once as happens } from 'node:events'
import { createServer } from 'node:http'
import { bodyParser } from '@koa/bodyparser'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/koa'
import Koa, { type Context, type Middleware } from 'koa'
import olderBodyParser from 'koa-bodyparser'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listening } from '../../../node/test/http2-front.ts'

/**
 * An app whose parser comes behind idempotency(). The first client has hung up before its request
 * gets the key.
 */
async function retryAfterHangUp(parser: Middleware, handler: (ctx: Context) => void) {
  const closed = new AbortController()
  const waiting = new AbortController()
  const kept = memoryStore()
  const store: typeof kept = {
    ...kept,
    async begin(claim) {
      waiting.abort()
      if (!closed.signal.aborted) await happens(closed.signal, 'abort')
      return kept.begin(claim)
    },
  }
  const app = new Koa()
  app.silent = true
  app.use(async (ctx, next) => {
    ctx.res.on('close', () => closed.abort())
    await next()
  })
  app.use(idempotency({ store, scope: 'dangerously-shared' }))
  app.use(parser)
  app.use((ctx) => handler(ctx))
  const { url, close } = await listening(createServer(app.callback()))
  onTestFinished(close)

  const client = new AbortController()
  const first = post(url, client.signal).catch(() => 'hung up')
  await happens(waiting.signal, 'abort')
  client.abort()
  expect(await first).toBe('hung up')
  for (;;) {
    const response = await post(url)
    if (response.status !== 409) return response
    await response.arrayBuffer()
  }
}

function post(url: string, signal?: AbortSignal): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'k' },
    body: '{"item":"violin"}',
    ...(signal && { signal }),
  })
}

// A bug: @koa/bodyparser answered 499 without a handler, and this was kept; koa-bodyparser waited
// for ever; and what a handler answered was kept without its body.
describe.each([
  ['@koa/bodyparser', bodyParser()],
  ['koa-bodyparser', olderBodyParser()],
])('a client that hung up before the claim, with %s behind it', (_, parser) => {
  test('finds what the handler answered', async () => {
    const answer = await retryAfterHangUp(parser, (ctx) => {
      ctx.status = 201
      ctx.body = { ordered: ctx.request.body }
    })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('x-idempotency-replayed')).toBe('true')
    expect(await answer.json()).toEqual({ ordered: { item: 'violin' } })
  })

  test('finds what the handler threw', async () => {
    const answer = await retryAfterHangUp(parser, (ctx) => ctx.throw(422, 'no violins'))
    expect(answer.status).toBe(422)
    expect(answer.headers.get('x-idempotency-replayed')).toBe('true')
    expect(await answer.text()).toBe('no violins')
  })
})
