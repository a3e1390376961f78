import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'

test('names a route by its pattern, so that two hundred orders are one route', async () => {
  const once = idempotency({ store: memoryStore(), scope: () => 'ada', namespace: 'patterns' })
  const app = express()
  const router = express.Router()
  router.post('/orders/:id', once, (_, res) => {
    res.status(201).json({})
  })
  app.use('/shops/:shop', router)
  const server = app.listen(0)
  onTestFinished(() => void server.close())
  const routes = new Set<unknown>()
  const listen = (message: unknown) => {
    const { namespace, route } = message as { namespace: string; route: string }
    if (namespace === 'patterns') routes.add(route)
  }
  const channels = ['oncekey:decision', 'oncekey:end']
  for (const channel of channels) subscribe(channel, listen)
  const { port } = server.address() as AddressInfo
  for (let id = 0; id < 5; id++) {
    const headers = { 'idempotency-key': `k-${id}` }
    await fetch(`http://127.0.0.1:${port}/shops/s${id}/orders/${id}`, { method: 'POST', headers })
  }
  for (const channel of channels) unsubscribe(channel, listen)
  expect([...routes]).toEqual(['POST /shops/:id/orders/:id'])
})
