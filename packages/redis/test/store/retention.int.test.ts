import { redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  claimOf,
  completionOf,
  eventOf,
  expectReplay,
  kindOf,
  retryOf,
  run,
} from '../servers/claims.ts'

let server: RedisServer
let client: Redis

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})
afterEach(() => client.flushall())

test('a response expires first and its key later: replay, `result-gone`, run', async () => {
  const store = redisStore({ client, resultRetentionMs: 300, keyRetentionMs: 1_500 })
  const claim = claimOf()
  await (await run(store, claim)).complete(completionOf())
  const kinds: string[] = []
  await waitFor(
    async () => {
      const decision = await store.begin(retryOf(claim))
      if (kinds.at(-1) !== decision.kind) kinds.push(decision.kind)
      if (decision.kind === 'run') expect(decision.attempt.number).toBe(1)
      return decision.kind === 'run'
    },
    { what: 'the key to be forgotten' },
  )
  expect(kinds).toEqual(['replay', 'result-gone', 'run'])
})

test('an expired response frees its memory, even if nothing reads or sweeps it', async () => {
  const store = redisStore({ client, resultRetentionMs: 200 })
  await (await run(store, claimOf())).complete(completionOf())
  expect(await client.keys('*:result:*')).toHaveLength(1)
  await waitFor(async () => (await client.keys('*:result:*')).length === 0, {
    what: 'the result to go',
  })
  expect(await client.keys('*:key:*')).toHaveLength(1)
})

test('everything but the outbox expires by itself, whatever became of the attempt', async () => {
  const store = redisStore({ client })
  const day = 24 * 60 * 60 * 1000
  const ttlOf = async (claim: { key: string }, what = 'key') => {
    const [key = ''] = await client.keys(`*:${what}:*${claim.key}`)
    return Math.ceil((await client.pttl(key)) / 1000) * 1000
  }
  const [running, done, released, abandoned, renewed] = [0, 1, 2, 3, 4].map(() => claimOf())
  if (!running || !done || !released || !abandoned || !renewed) throw new Error()
  await run(store, running)
  expect(await ttlOf(running)).toBe(7 * day + 60_000)
  await (await run(store, renewed)).renew(120_000)
  expect(await ttlOf(renewed)).toBe(7 * day + 120_000)
  await (await run(store, done)).complete(completionOf({ events: [eventOf()] }))
  expect(await ttlOf(done)).toBe(7 * day)
  expect(await ttlOf(done, 'result')).toBe(day)
  await (await run(store, abandoned)).abandon()
  expect(await ttlOf(abandoned)).toBe(7 * day)
  await (await run(store, released)).release()
  expect(await ttlOf(released)).toBeLessThan(day)
  const open = await store.open({ leaseMs: 1 })
  await open.complete(completionOf({ events: [eventOf()] }))

  const keys = await client.keys('*')
  const forGood = []
  for (const key of keys) if ((await client.pttl(key)) < 0) forGood.push(key)
  expect(forGood.length).toBeGreaterThan(0)
  expect(forGood.filter((key) => !key.endsWith('outbox'))).toEqual([])
})

// A bug of other libraries: their lease is the expiry of the key, so a record disappears when its
// lease ends.
test('a lease that ran out leaves a record that is `unknown`, not a first request', async () => {
  const store = redisStore({ client })
  const claim = claimOf({ leaseMs: 100, whenUnknown: 'hold' })
  await run(store, claim)
  await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'unknown', {
    what: 'the lease to run out',
  })
  const decision = await store.begin(retryOf(claim, { whenUnknown: 'retake' }))
  expect(decision).toMatchObject({ kind: 'run', attempt: { number: 2 } })
})

test('a retry in the last moment of a response is a replay or `result-gone`, never a run', async () => {
  const store = redisStore({ client, resultRetentionMs: 400, keyRetentionMs: 60_000 })
  const claim = claimOf()
  await (await run(store, claim)).complete(completionOf())
  const kinds = new Set<string>()
  await waitFor(
    async () => {
      const kind = await kindOf(store, retryOf(claim))
      kinds.add(kind)
      return kind === 'result-gone'
    },
    { what: 'the response to go', intervalMs: 0 },
  )
  expect(kinds).toEqual(new Set(['replay', 'result-gone']))
})

test('a response of 8 MiB is kept byte for byte', async () => {
  const store = redisStore({ client, commandTimeoutMs: 20_000 })
  const claim = claimOf()
  const body = Uint8Array.from({ length: 8 * 1024 * 1024 }, (_, index) => (index * 31) % 251)
  const response = { status: 201, headers: [], body, seal: null }
  await (await run(store, claim)).complete(completionOf({ response }))
  const decision = await store.begin(retryOf(claim))
  if (decision.kind !== 'replay') throw new Error(decision.kind)
  expect(Buffer.compare(decision.response.body ?? new Uint8Array(), body)).toBe(0)
})

test("all keys carry the client's prefix", async () => {
  const prefixed = new Redis(server.url, { keyPrefix: 'shop:' })
  try {
    const store = redisStore({ client: prefixed })
    const claim = claimOf()
    await (await run(store, claim)).complete(completionOf({ events: [eventOf()] }))
    await expectReplay(store, claim, 'done')
    const keys = await client.keys('*')
    expect(keys).toHaveLength(3)
    expect(keys.filter((key) => !key.startsWith('shop:oncekey:{'))).toEqual([])
    expect(await kindOf(redisStore({ client }), retryOf(claim))).toBe('run')
  } finally {
    prefixed.disconnect()
  }
})
