import { outboxEvent } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { redisLog } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

let server: RedisServer
let client: Redis
beforeAll(async () => {
  server = await startRedis({ settings: { appendonly: 'yes' } })
  client = new Redis(server.url)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

// A bug: the lease of a relay that was stopped ended while it waited for its last attempts, and
// another relay ran the same events beside them.
test('a relay that waits for its last attempts for longer than a lease keeps their slots', {
  timeout: 60_000,
}, async () => {
  const log = redisLog({ client })
  const calls: string[] = []
  let end = (): void => {}
  const relayOf = (who: string) =>
    createRelay({
      leaseMs: 1_500,
      minPollMs: 1,
      maxPollMs: 10,
      log,
      consumers: [
        consumer({
          name: 'slow',
          handle({ event: { subject } }) {
            calls.push(`${who} ${subject}`)
            if (who !== 'old') return
            return new Promise<void>((resolve) => {
              end = resolve
            })
          },
        }),
      ],
    })
  const emit = (...subjects: string[]) =>
    log.append(
      subjects.map((subject) =>
        outboxEvent(
          { type: 'order.created', subject, orderingKey: subject },
          { source: '/', traceparent: undefined },
        ),
      ),
    )
  // By the server's clock: until when a relay counts.
  const leasedUntil = async (relay: string): Promise<number> => {
    const keys = await client.keys('*relays*')
    const scores = await Promise.all(keys.map((key) => client.zscore(key, relay)))
    return Math.max(0, ...scores.map(Number))
  }
  const old = relayOf('old')
  old.start()
  await emit('one')
  await waitFor(() => calls.length === 1, { what: 'the attempt to begin' })
  const before = await leasedUntil(old.id)
  const stopping = old.stop({ timeoutMs: 60_000 })
  const next = relayOf('next')
  next.start()
  const isOver = async () => (await leasedUntil(next.id)) > before + 3_000
  await waitFor(isOver, { what: 'two leases to pass' })
  await emit(...Array.from({ length: 40 }, (_, at) => `other ${at}`))
  expect(calls.filter((call) => call.endsWith(' one'))).toEqual(['old one'])
  end()
  await stopping
  await waitFor(async () => (await log.lag('slow')).events === 0, { what: 'the rest' })
  await next.stop()
  expect(calls.filter((call) => call.endsWith(' one'))).toEqual(['old one'])
  expect(new Set(calls).size).toBe(calls.length)
})
