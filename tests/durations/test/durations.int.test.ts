import { randomUUID } from 'node:crypto'
import {
  type EventLog,
  LONGEST_KEPT_MS,
  LONGEST_TIMER_MS,
  type LoggedEvent,
  type OutboxEvent,
} from '@oncekey/core'
import { createRelay } from '@oncekey/outbox'
import { migrate, postgresLog, purge, transact } from '@oncekey/postgres'
import { redisLog } from '@oncekey/redis'
import { sagaMigrations, sagaOperator } from '@oncekey/saga'
import { type Database, freshDatabase, type RedisServer, startRedis } from '@oncekey/test-servers'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

let database: Database
let pool: Pool
let server: RedisServer
let redis: Redis
beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  pool = new Pool({ connectionString: database.url, max: 3 })
  await migrate(pool, { also: [sagaMigrations, webhookMigrations] })
  server = await startRedis()
  redis = new Redis(server.url)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
  await pool.end()
  await database.drop()
})

const LEASE_MS = 2 ** 30 - 1

const event = (): OutboxEvent => ({
  id: randomUUID(),
  type: 'order.created',
  source: '/',
  subject: null,
  orderingKey: randomUUID(),
  data: '1',
  headers: {},
  occurredAt: new Date(),
})

/** Does what a relay does, with the longest times that its options accept. */
async function throughALog(log: EventLog<never>): Promise<void> {
  const consumer = 'longest'
  await log.subscribe({ consumer, types: null, startAt: 'now' })
  const asked = { consumer, relay: 'r', leaseMs: LEASE_MS, types: null, holding: [] }
  await log.want(asked)
  const { taken } = await log.lease(asked)
  expect(taken).toHaveLength(64)
  await log.append([event(), event()])
  const page = await log.read({ consumer, types: null, slots: taken, limit: 10 })
  const year = 365 * 86_400_000
  const failed = page.events.map((each: LoggedEvent) => ({
    event: each,
    verdict: { kind: 'retrying', delayMs: year } as const,
    attempt: null,
  }))
  const { lost } = await log.advance({
    consumer,
    slots: page.next.map(({ slot, position }) => ({
      slot,
      position,
      epoch: taken.find((each) => each.slot === slot)?.epoch ?? '',
      calm: true,
      failed: failed.filter((each) => each.event.slot === slot),
    })),
  })
  expect(lost).toEqual([])
  const due = await log.takeDue({ consumer, slots: taken, except: [], limit: 10 })
  expect(due.deliveries).toEqual([])
  expect(due.nextInMs).toBeGreaterThan(year - 60_000)
  await log.emit({ consumer, eventId: randomUUID(), events: [event()] })
  expect(await log.maintain()).toMatchObject({ missing: [], abandoned: [] })
  await log.release({ consumer, relay: 'r', slots: taken, leaving: true })
}

describe('the server accepts the longest times of every option', () => {
  test('for a log on PostgreSQL, purges and a transaction', async () => {
    await throughALog(
      postgresLog({
        client: pool,
        timeoutMs: LONGEST_KEPT_MS,
        inboxRetentionMs: LONGEST_KEPT_MS,
        resolvedRetentionMs: LONGEST_KEPT_MS,
        missingAfterMs: LONGEST_KEPT_MS,
        abandonedAfterMs: LONGEST_KEPT_MS,
      }) as EventLog<never>,
    )
    const longest = { resultRetentionMs: LONGEST_KEPT_MS, keyRetentionMs: LONGEST_KEPT_MS }
    expect(await purge(pool, longest)).toEqual({ results: 0, keys: 0, more: false })
    expect(await transact(pool, () => 'done', { timeoutMs: LONGEST_KEPT_MS })).toBe('done')
    expect(await sagaOperator({ client: pool }).purge({ retentionMs: LONGEST_KEPT_MS })).toBe(0)
  })

  test('for a log on Redis', async () => {
    await throughALog(
      redisLog({
        client: redis,
        commandTimeoutMs: LONGEST_TIMER_MS,
        retentionMs: LONGEST_KEPT_MS,
        emittedRetentionMs: LONGEST_KEPT_MS,
        resolvedRetentionMs: LONGEST_KEPT_MS,
        missingAfterMs: LONGEST_KEPT_MS,
        abandonedAfterMs: LONGEST_KEPT_MS,
      }),
    )
  })

  test('for webhooks', async () => {
    const hooks = webhooks({
      client: pool,
      timeoutMs: LONGEST_KEPT_MS - 86_400_000,
      schedule: [365 * 86_400_000],
      breakerFailures: 1,
      cooldownMs: LONGEST_KEPT_MS,
      maxCooldownMs: LONGEST_KEPT_MS,
      disableAfterMs: LONGEST_KEPT_MS,
      allowHttp: true,
      allowAddresses: ['127.0.0.1/32'],
    })
    const { endpoint } = await hooks.endpoints.register({
      url: 'http://127.0.0.1:9/',
      types: ['*'],
    })
    expect(
      await hooks.endpoints.rotateSecret(endpoint.id, { overlapMs: LONGEST_KEPT_MS }),
    ).toBeDefined()
    const log = postgresLog({ client: pool })
    const relay = createRelay({ log, consumers: [hooks.consumer] })
    await log.append([event(), event()])
    await relay.runOnce()
    await relay.stop()
    const worker = hooks.createWorker({ leaseMs: LONGEST_KEPT_MS })
    // Nothing listens there, so the breaker opens, and both deliveries wait.
    expect(await worker.deliverOnce()).toBeGreaterThan(0)
    expect(await worker.deliverOnce()).toBe(0)
    const { items } = await hooks.deadLetters.listRetrying({}, { limit: 10 })
    expect(items.length).toBeGreaterThan(0)
    const kept = {
      retentionMs: LONGEST_KEPT_MS,
      deadRetentionMs: LONGEST_KEPT_MS,
      disabledRetentionMs: LONGEST_KEPT_MS,
      messageRetentionMs: LONGEST_KEPT_MS,
    }
    expect(await hooks.purge(kept)).toMatchObject({ deliveries: 0, endpoints: 0, more: false })
  })
})
