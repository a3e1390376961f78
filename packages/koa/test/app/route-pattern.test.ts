import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Router } from '@koa/router'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/koa'
import Koa from 'koa'
import { expect, onTestFinished, test } from 'vitest'
import { served } from '../support/served.ts'

test('names the route by its pattern, with the middleware on the route', async () => {
  const once = idempotency({ store: memoryStore(), scope: () => 'ada', namespace: 'koa-patterns' })
  const router = new Router({ prefix: '/shops/:shop' })
  router.post('/orders/:id', once, (ctx) => {
    ctx.status = 201
  })
  const routes = new Set<unknown>()
  const listen = (message: unknown) => {
    const { namespace, route } = message as { namespace: string; route: string }
    if (namespace === 'koa-patterns') routes.add(route)
  }
  for (const channel of ['oncekey:decision', 'oncekey:end']) {
    subscribe(channel, listen)
    onTestFinished(() => void unsubscribe(channel, listen))
  }
  const { post } = await served(new Koa().use(router.routes()))
  for (let id = 0; id < 3; id++) await post(`/shops/s${id}/orders/${id}`, { key: `k-${id}` })
  expect([...routes]).toEqual(['POST /shops/:shop/orders/:id'])
})
