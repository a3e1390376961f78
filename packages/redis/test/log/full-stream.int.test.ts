import { randomUUID } from 'node:crypto'
import type { OutboxEvent } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { redisLog } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

let server: RedisServer
let client: Redis
beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
  client.on('error', () => {})
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

const eventOf = (): OutboxEvent => ({
  id: randomUUID(),
  type: 'order.created',
  source: '/shop',
  subject: null,
  orderingKey: randomUUID(),
  data: '{}',
  headers: {},
  occurredAt: new Date(),
})

// A bug: a full Redis refused to renew leases and to move cursors, so nothing was delivered or
// trimmed, and it stayed full.
test('relays empty a full server: deliveries, retries and retention continue', async () => {
  const log = redisLog({ client, commandTimeoutMs: 20_000, retentionMs: 0, abandonedAfterMs: 1 })
  const given = Array.from({ length: 20 }, eventOf)
  for (const each of given) await log.append([each])
  await log.subscribe({ consumer: 'removed', types: null, startAt: 'beginning' })
  const taken = new Set<string>()
  const tried = new Set<string>()
  const relay = createRelay({
    log,
    maxPollMs: 20,
    advanceEveryMs: 10,
    consumers: [
      consumer({
        name: 'shipping',
        backoff: () => 1,
        async handle({ event }) {
          if (tried.has(event.id)) taken.add(event.id)
          else {
            tried.add(event.id)
            throw new Error('not at once')
          }
        },
      }),
    ],
  })
  await log.subscribe({ consumer: 'shipping', types: null, startAt: 'beginning' })
  await server.cli('config', 'set', 'maxmemory', '1')
  relay.start()
  try {
    await waitFor(() => taken.size === given.length, {
      what: 'every event to be taken on a full server',
      timeoutMs: 60_000,
    })
    await waitFor(async () => (await log.lag('shipping')).events === 0, { what: 'cursors' })
    await waitFor(async () => (await log.maintain()).dropped >= 0 && (await kept()) === 0, {
      what: 'what all have passed to be taken away',
      timeoutMs: 30_000,
    })
  } finally {
    await server.cli('config', 'set', 'maxmemory', '0')
    await relay.stop()
  }
  expect((await log.deadLetters.stats()).depth).toBe(0)
})

async function kept(): Promise<number> {
  const streams = await client.keys('*outbox')
  const lengths = await Promise.all(streams.map((stream) => client.xlen(stream)))
  return lengths.reduce((sum, length) => sum + length, 0)
}
