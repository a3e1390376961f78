import { memoryStore } from '@oncekey/core'
import request from 'supertest'
import { afterEach, expect, test, vi } from 'vitest'
import { createApp } from '../src/express-app.ts'

afterEach(() => void vi.useRealTimers())

const post = (app: ReturnType<typeof createApp>, path: string) =>
  request(app)
    .post(path)
    .set('X-Account', 'ana')
    .set('Idempotency-Key', 'k')
    .send({ item: 'viola' })

test('a response that is purged is not made again', async () => {
  let now = Date.now()
  const app = createApp(memoryStore({ now: () => now }))
  await post(app, '/orders').expect(201)
  now += 25 * 60 * 60 * 1000 // past resultRetentionMs
  await post(app, '/orders').expect(410)
})

test('a handler that never answers is given up', async () => {
  // Deadlines compare performance.now(); without it the timer rings, and nothing is due.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const app = createApp(memoryStore())
  const answer = post(app, '/stuck').then(({ status, body }) => [status, body.code])
  await vi.waitUntil(() => vi.getTimerCount() > 0)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(await answer).toEqual([503, 'handler-timeout'])
})
