import { memoryStore } from '@oncekey/core'
import { expect, test } from 'vitest'
import { createApp } from '../src/fastify-app.ts'

test('an order that is sent twice is placed once', async () => {
  const app = await createApp(memoryStore())
  const order = () =>
    app.inject({
      method: 'POST',
      url: '/orders',
      headers: { 'x-account': 'ana', 'idempotency-key': 'k' },
      payload: { item: 'violin' },
    })

  const [first, again] = [await order(), await order()]
  expect([first.statusCode, again.statusCode]).toEqual([201, 201])
  expect(again.headers['x-idempotency-replayed']).toBe('true')
  expect(again.json()).toEqual(first.json())
})
