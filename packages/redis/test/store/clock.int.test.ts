import { redisLog, redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { claimOf, completionOf, kindOf, retryOf, run } from '../servers/claims.ts'

let server: RedisServer
let client: Redis

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})
beforeEach(() => client.flushall())
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

const DAY_MS = 86_400_000

/**
 * Puts the clock back. Redis' own cannot be moved, so the record's times are moved ahead instead.
 */
async function putClockBack(key: string, ms: number): Promise<void> {
  for (const field of ['lease_until', 'leased_at']) {
    await client.hset(key, field, Number(await client.hget(key, field)) + ms)
  }
}

// A bug: after the clock was put back by a day, the lease ended a day late, so the key stayed
// taken.
test('a lease keeps its length after the clock was put back', async () => {
  const store = redisStore({ client })
  const claim = claimOf({ leaseMs: 300 })
  const attempt = await run(store, claim)
  const [record = ''] = await client.keys(`*:key:*${claim.key}`)
  await putClockBack(record, DAY_MS)

  expect(await kindOf(store, retryOf(claim))).toBe('in-progress')
  await waitFor(
    async () => (await kindOf(store, retryOf(claim, { whenUnknown: 'hold' }))) === 'unknown',
    {
      what: 'the lease to end',
      timeoutMs: 20_000,
    },
  )
  await run(store, retryOf(claim))
  expect(await attempt.complete(completionOf())).toBe('superseded')
})

// A bug: an operator was told `running` for as long as the clock had been put back.
test('an operator finds the outcome of a dead process after one lease', async () => {
  const store = redisStore({ client })
  const claim = claimOf({ leaseMs: 300 })
  await run(store, claim)
  const [record = ''] = await client.keys(`*:key:*${claim.key}`)
  await putClockBack(record, DAY_MS)

  const act = { actor: 'ops', note: 'its process is dead' }
  expect(await store.keys.release(claim, act)).toBe('running')
  await waitFor(async () => (await store.keys.get(claim))?.state === 'unknown', {
    what: 'the lease to end',
  })
  expect(await store.keys.release(claim, act)).toBe('done')
})

test('giving back a claim leaves a released key as it was', async () => {
  const store = redisStore({ client })
  const claim = claimOf()
  const released = await run(store, claim)
  await released.release()
  const impatient = redisStore({ client, commandTimeoutMs: 100 })
  await run(impatient, claimOf())
  const other = new Redis(server.url)
  await other.call('client', 'pause', '400', 'ALL')
  await expect(impatient.begin(retryOf(claim))).rejects.toMatchObject({ code: 'store-unavailable' })
  await client.ping()
  other.disconnect()

  expect(await released.complete(completionOf())).toBe('superseded')
  await run(store, retryOf(claim))
})

test('slots of a relay that died before the clock was put back are taken after its lease', async () => {
  const log = redisLog({ client })
  const consumer = 'shipping'
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const leaseMs = 100
  const dead = { consumer, relay: 'dead', types: ['a'], leaseMs }
  await log.want(dead)
  await log.lease({ ...dead, holding: [] })
  for (const key of await client.keys('*:consumers')) {
    const cursor = JSON.parse((await client.hget(key, consumer)) ?? '')
    cursor.lease_until += DAY_MS
    cursor.leased_at += DAY_MS
    await client.hset(key, consumer, JSON.stringify(cursor))
  }
  for (const key of await client.keys('*:relays:*')) await client.zincrby(key, DAY_MS, 'dead')
  for (const key of await client.keys('*:subscriptions:*')) {
    const record = (await client.get(key)) ?? ''
    const later = (at: string): string => String(Number(at) + DAY_MS)
    await client.set(key, record.replace(/\b1\d{12}\b/g, later))
  }

  const alive = { consumer, relay: 'alive', types: null, leaseMs }
  const holding: { slot: number; epoch: string }[] = []
  await waitFor(
    async () => {
      await log.want(alive)
      const { taken } = await log.lease({ ...alive, holding })
      holding.push(...taken)
      return holding.length === 64
    },
    { what: 'all slots to be taken', timeoutMs: 20_000 },
  )
  expect((await log.want(alive))?.reads).toBe(true)
})
