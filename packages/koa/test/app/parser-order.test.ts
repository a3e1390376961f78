import { Router } from '@koa/router'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/koa'
import Koa from 'koa'
import bodyParser from 'koa-bodyparser'
import { expect, test } from 'vitest'
import { served } from '../support/served.ts'

// The README mounted the parser behind the middleware, where its 400 is the handler's answer.
test.each([
  ['before', [400, 201]],
  ['behind', [400, 422]],
])('a body that was not JSON and is corrected, with the parser %s', async (place, statuses) => {
  const once = idempotency({ store: memoryStore(), scope: () => 'ada' })
  const router = new Router().post('/orders', (ctx) => {
    ctx.status = 201
  })
  const app = new Koa()
  for (const each of place === 'before' ? [bodyParser(), once] : [once, bodyParser()]) app.use(each)
  const { post } = await served(app.use(router.routes()))
  const broken = await post('/orders', { body: '{"item":' })
  const corrected = await post('/orders', { body: '{"item":"violin"}' })
  expect([broken.status, corrected.status]).toEqual(statuses)
})
