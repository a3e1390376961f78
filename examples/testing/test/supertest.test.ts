import { memoryStore } from '@oncekey/core'
import request from 'supertest'
import { expect, test } from 'vitest'
import { createApp } from '../src/express-app.ts'

test('an order that is sent twice is placed once', async () => {
  const store = memoryStore()
  const app = createApp(store)
  const order = (item: string) =>
    request(app).post('/orders').set('X-Account', 'ana').set('Idempotency-Key', 'k').send({ item })

  const first = await order('violin').expect(201)
  const again = await order('violin').expect(201).expect('X-Idempotency-Replayed', 'true')
  expect(again.body).toEqual(first.body)
  await order('cello').expect(422).expect('Content-Type', 'application/problem+json')
  expect(store.events).toHaveLength(1)
})
