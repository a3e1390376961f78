import { type MemoryTransaction, memoryStore, type Store } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import express from 'express'
import request from 'supertest'
import { expect, test, vi } from 'vitest'
import { createApp } from '../src/express-app.ts'

const post = (app: express.Express) =>
  request(app)
    .post('/orders')
    .set('X-Account', 'ana')
    .set('Idempotency-Key', 'k')
    .send({ item: 'lute' })

test('while the store is down nothing runs, and the same request runs later', async () => {
  const store = memoryStore()
  const down: Store<MemoryTransaction> = {
    ...store,
    begin: async () => {
      throw new Error('connect ECONNREFUSED')
    },
  }
  const refused = await post(createApp(down)).expect(503).expect('Retry-After', '1')
  expect(refused.body).toMatchObject({ code: 'store-unavailable', retry: 'same-key' })
  expect(store.events).toHaveLength(0)

  await post(createApp(store)).expect(201)
  expect(store.events).toHaveLength(1)
})

test('an order whose commit got no reply is found by the retry', async () => {
  const store = memoryStore()
  const unheard: Store<MemoryTransaction> = {
    ...store,
    async begin(claim) {
      const decision = await store.begin(claim)
      if (decision.kind !== 'run') return decision
      const attempt: typeof decision.attempt = {
        ...decision.attempt,
        async complete(completion) {
          await decision.attempt.complete(completion)
          throw new Error('read ECONNRESET')
        },
      }
      return { ...decision, attempt }
    },
  }
  const doubtful = await post(createApp(unheard)).expect(503)
  expect(doubtful.body).toMatchObject({ code: 'commit-failed', retry: 'same-key' })

  await post(createApp(store)).expect(201).expect('X-Idempotency-Replayed', 'true')
  expect(store.events).toHaveLength(1)
})

test('what a process that died had begun is run by another', async () => {
  let now = Date.now()
  const store = memoryStore({ mode: 'lease', now: () => now })
  const processWith = (handler: express.RequestHandler) =>
    express().post('/orders', express.json(), idempotency({ store, scope: () => 'ana' }), handler)

  let isRunning = false
  const dying = post(
    processWith(() => {
      isRunning = true // and never answers
    }),
  )
  dying.end(() => {})
  await vi.waitUntil(() => isRunning)
  const other = processWith((_, res) => void res.status(201).end())
  await post(other).expect(409) // its lease is not over

  now += 15_001 // leaseMs, and one
  await post(other).expect(201)
  dying.abort()
})
