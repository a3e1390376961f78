import { outboxEvent } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { redisLog } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

let server: RedisServer
let client: Redis
beforeAll(async () => {
  server = await startRedis({})
  client = new Redis(server.url)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

// A bug: an event that a consumer emitted had a new id each time. If it was emitted once more,
// after the mark had expired or a failover had taken it back, nobody could know it again.
test('an event that a consumer emits again after its mark has expired has the same id', {
  timeout: 60_000,
}, async () => {
  const log = redisLog({ client, abandonedAfterMs: 1, emittedRetentionMs: 1 })
  const given: (string | undefined)[] = []
  const shipping = consumer({
    name: 'shipping',
    types: ['order.placed'],
    handle({ event: { id }, emit }) {
      given.push(id)
      emit({ type: 'parcel.sent', subject: id, data: { of: id } })
      emit({ type: 'mail.sent', subject: id })
    },
  })
  const placed = outboxEvent({ type: 'order.placed' }, { source: '/', traceparent: undefined })
  await log.append([placed])
  const dies: typeof log = {
    ...log,
    advance: async () => Promise.reject(new Error('The process died before.')),
  }
  const first = createRelay({ leaseMs: 3_000, log: dies, consumers: [shipping] })
  await expect(first.runOnce()).rejects.toThrow('The process died')
  await first.stop({ timeoutMs: 0 })
  const marks = async () => await client.keys('oncekey:*:emitted:*')
  await waitFor(async () => (await marks()).length === 0, { what: 'the mark to expire' })
  const second = createRelay({ log, consumers: [shipping] })
  await waitFor(async () => (await second.runOnce()) > 0, {
    what: 'the event to come again',
    timeoutMs: 30_000,
  })
  await second.stop()

  expect(given).toEqual([placed.id, placed.id])
  const streams = await client.keys('oncekey:*:outbox')
  const entries = (await Promise.all(streams.map((key) => client.xrange(key, '-', '+')))).flat()
  const ids = entries.map(([, fields]) => [fields[5], fields[1]].join(' '))
  const emitted = ids.filter((each) => !each.startsWith('order.placed'))
  expect(emitted).toHaveLength(4)
  expect(new Set(emitted).size).toBe(2)
})
