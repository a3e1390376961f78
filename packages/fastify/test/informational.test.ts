import { memoryStore } from '@oncekey/core'
import idempotency from '@oncekey/fastify'
import fastify from 'fastify'
import { expect, test } from 'vitest'

test.each([101, 103])('%s as the response is an app error and stores nothing', async (status) => {
  const app = fastify()
  await app.register(idempotency, { store: memoryStore(), scope: 'dangerously-shared' })
  let runs = 0
  app.post('/', (_, reply) => {
    runs += 1
    reply.code(runs === 1 ? status : 201).send('whole')
  })
  const ask = () => app.inject({ method: 'POST', url: '/', headers: { 'idempotency-key': 'k' } })
  const first = await ask()
  expect(first.statusCode).toBe(500)
  expect(first.json().message).toContain('writeEarlyHints')
  expect((await ask()).statusCode).toBe(201)
  expect((await ask()).headers['x-idempotency-replayed']).toBe('true')
  await app.close()
})
