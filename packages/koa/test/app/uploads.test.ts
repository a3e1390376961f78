import { createServer } from 'node:http'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/koa'
import Koa, { type Context, type Middleware } from 'koa'
import { expect, onTestFinished, test } from 'vitest'
import { listening } from '../../../node/test/http2-front.ts'

/** Leaves the title of a form where parsers of forms leave it. */
const formParser: Middleware = async (ctx, next) => {
  const chunks: Buffer[] = []
  for await (const chunk of ctx.req) chunks.push(chunk)
  const title = /\r\n\r\n(\w+)\r\n/.exec(String(Buffer.concat(chunks)))?.[1]
  Object.assign(ctx.request, { body: { title } })
  await next()
}

async function appOf(...middleware: Middleware[]) {
  const app = new Koa()
  app.silent = true
  app.on('error', () => {})
  for (const each of middleware) app.use(each)
  app.use((ctx) => {
    ctx.body = 'stored'
  })
  const { url, close } = await listening(createServer(app.callback()))
  onTestFinished(close)
  return async (title: string) => {
    const body = new FormData()
    body.append('title', title)
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'idempotency-key': 'k' },
      body,
    })
    await response.arrayBuffer()
    return response.status
  }
}

const once = () =>
  idempotency({
    store: memoryStore(),
    scope: 'dangerously-shared',
    fingerprint: (ctx: Context) => ({ fields: (ctx.request as { body?: unknown }).body }),
  })

test('uploads are told apart by a form that was parsed before', async () => {
  const upload = await appOf(formParser, once())
  expect([await upload('one'), await upload('one'), await upload('two')]).toEqual([200, 200, 422])
})

test('a fingerprint of a form that is parsed later is refused', async () => {
  // Both uploads looked the same, and the second was answered with the first one's result.
  const upload = await appOf(once(), formParser)
  expect([await upload('one'), await upload('two')]).toEqual([500, 500])
})
