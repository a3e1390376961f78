import { randomUUID } from 'node:crypto'
import {
  type DeliveryAttempt,
  type EventLog,
  type LoggedEvent,
  type OutboxEvent,
  SLOTS,
  slotOf,
  type TakenSlot,
} from '@oncekey/core'
import { type RedisLogOptions, redisLog } from '@oncekey/redis'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'

export let server: RedisServer
export let client: Redis

beforeAll(async () => {
  server = await startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } })
  client = new Redis(server.url)
  client.on('error', () => {})
})

afterAll(async () => {
  client.disconnect()
  await server.stop()
})

beforeEach(() => client.flushall())

export const logOf = (options: Partial<RedisLogOptions> = {}): EventLog<never> =>
  redisLog({ client, commandTimeoutMs: 20_000, ...options })

export const eventOf = (differently: Partial<OutboxEvent> = {}): OutboxEvent => ({
  id: randomUUID(),
  type: 'order.created',
  source: '/shop',
  subject: null,
  orderingKey: randomUUID(),
  data: '{}',
  headers: {},
  occurredAt: new Date(),
  ...differently,
})

export const outboxOf = (event: OutboxEvent): string =>
  `oncekey:{${slotOf(event.orderingKey)}}:outbox`

/** Subscribes a consumer from the oldest event, and takes every slot. */
export async function hold(
  log: EventLog,
  consumer = 'email',
  relay = 'relay-1',
  leaseMs = 60_000,
): Promise<readonly TakenSlot[]> {
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const { taken } = await log.lease({ consumer, relay, leaseMs, holding: [] })
  expect(taken.length).toBe(SLOTS)
  return taken
}

export async function readAll(log: EventLog, slots: readonly TakenSlot[], consumer = 'email') {
  return log.read({ consumer, types: null, slots, limit: 1_000 })
}

/** Reads all events, and moves the cursors past them. */
export async function pass(
  log: EventLog,
  held: readonly TakenSlot[],
  consumer = 'email',
): Promise<{ events: readonly LoggedEvent[]; lost: readonly number[] }> {
  const { events, next } = await readAll(log, held, consumer)
  const epochs = new Map(held.map(({ slot, epoch }) => [slot, epoch]))
  const { lost } = await log.advance({
    consumer,
    slots: next.map((each) => ({
      ...each,
      epoch: epochs.get(each.slot) ?? '',
      calm: false,
      failed: [],
    })),
  })
  return { events, lost }
}

export const attempt: DeliveryAttempt = {
  startedAtMs: 1,
  durationMs: 1,
  error: { name: 'Error', message: 'no', code: null, stack: null, fingerprint: 'no' },
}
