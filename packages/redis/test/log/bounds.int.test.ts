import type { LoggedEvent } from '@oncekey/core'
import { deadLetters as redriver } from '@oncekey/outbox'
import { redisLog } from '@oncekey/redis'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { eventOf } from '../servers/claims.ts'

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

const consumer = 'shipping'

// A bug: an exact XTRIM of a whole stream blocked the server for as long as it took.
test('trims a long stream in portions, up to where every consumer has passed it and no further', async () => {
  const log = redisLog({ client, retentionMs: 0 })
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const fill = `for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '5-' .. i, 'id', i) end`
  await client.eval(fill, 1, 'oncekey:{5}:outbox', 50_000)
  await client.eval(fill, 1, 'oncekey:{6}:outbox', 30_000)
  for (const [slot, at] of [
    [5, '5-45050'],
    [6, '5-30000'],
  ] as const) {
    const key = `oncekey:{${slot}}:consumers`
    const cursor = JSON.parse((await client.hget(key, consumer)) ?? '')
    await client.hset(key, consumer, JSON.stringify({ ...cursor, at }))
  }
  expect((await log.maintain()).dropped).toBe(75_050)
  expect(await client.xlen('oncekey:{5}:outbox')).toBe(4_950)
  expect(await client.xlen('oncekey:{6}:outbox')).toBe(0)
  expect((await log.maintain()).dropped).toBe(0)
})

test('an id too large for a Lua number keeps no other entry from being trimmed', async () => {
  const log = redisLog({ client, retentionMs: 0 })
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const last = '5-18446744073709551615'
  await client.xadd('oncekey:{5}:outbox', '5-1', 'id', '1')
  await client.xadd('oncekey:{5}:outbox', last, 'id', '2')
  const cursor = JSON.parse((await client.hget('oncekey:{5}:consumers', consumer)) ?? '')
  await client.hset('oncekey:{5}:consumers', consumer, JSON.stringify({ ...cursor, at: last }))
  expect((await log.maintain()).dropped).toBe(1)
})

// A bug: finding one named letter among 100,000 took 29 s.
test('lists dead letters in one order, whether by id, by filter or all', async () => {
  const log = redisLog({ client })
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const events = Array.from({ length: 700 }, (_, at) =>
    eventOf({ orderingKey: `k${at}`, type: at % 7 === 0 ? 'rare' : 'often' }),
  )
  for (const event of events) await log.append([event])
  const { taken } = await log.lease({ consumer, relay: 'r', leaseMs: 60_000, holding: [] })
  const page = await log.read({ consumer, types: null, slots: taken, limit: 1_000 })
  expect(page.events).toHaveLength(700)
  const verdict = { kind: 'dead', reason: 'permanent' } as const
  await log.advance({
    consumer,
    slots: taken.map((held) => ({
      ...held,
      position: page.next.find(({ slot }) => slot === held.slot)?.position ?? '',
      calm: false,
      failed: page.events
        .filter(({ slot }: LoggedEvent) => slot === held.slot)
        .map((event) => ({ event, verdict, attempt: null })),
    })),
  })

  const { deadLetters } = log
  const all = await deadLetters.list({}, { limit: 1_000 })
  expect(all.items).toHaveLength(700)
  const ids = all.items.map(({ id }) => id)
  const pages: string[] = []
  for (let after: string | undefined, more = true; more; ) {
    const some = await deadLetters.list(
      { ids: [...ids].reverse() },
      { limit: 90, ...(after && { after }) },
    )
    pages.push(...some.items.map(({ id }) => id))
    after = some.next
    more = after !== undefined
  }
  expect(pages).toEqual(ids)
  const rare = await deadLetters.list({ type: 'rare' }, { limit: 1_000 })
  expect(rare.items.map(({ id }) => id)).toEqual(
    all.items.filter(({ type }) => type === 'rare').map(({ id }) => id),
  )
  expect(await deadLetters.count({ type: 'rare' })).toBe(100)

  const discarded = await deadLetters.discard(ids.slice(0, 300), 'not wanted')
  expect(discarded.map(({ id }) => id)).toEqual(ids.slice(0, 300))
  expect(new Set(discarded.map(({ outcome }) => outcome))).toEqual(new Set(['discarded']))
  const { redriven, refused } = await deadLetters.redrive({ ids }, { limit: 1_000 })
  expect(redriven).toEqual(ids.slice(300))
  expect(refused).toHaveLength(300)
  expect(new Set(refused.map(({ outcome }) => outcome))).toEqual(new Set(['already-discarded']))
})

test('a filter looks at what its times and events name, and a page at so many at most', async () => {
  const log = redisLog({ client })
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const { taken } = await log.lease({ consumer, relay: 'r', leaseMs: 60_000, holding: [] })
  const [held] = taken
  if (held === undefined) throw new Error('No slot was taken')
  const fileDead = async (count: number, type = 'often'): Promise<void> => {
    const failed = Array.from({ length: count }, () => ({
      event: {
        ...eventOf({ type }),
        slot: held.slot,
        position: held.position,
        occurredAtMs: 1,
        headers: '{}',
      },
      verdict: { kind: 'dead', reason: 'permanent' } as const,
      attempt: null,
    }))
    const move = { ...held, calm: false, failed }
    expect(await log.advance({ consumer, slots: [move] })).toEqual({ lost: [] })
  }
  for (let filed = 0; filed < 12_000; filed += 2_000) await fileDead(2_000)
  await fileDead(30, 'rare')

  const { deadLetters } = log
  const lookedAt = async (list: () => Promise<unknown>): Promise<number> => {
    await client.config('RESETSTAT')
    await list()
    const calls = /cmdstat_hmget:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]
    return Number(calls ?? 0)
  }
  const nothing = { type: 'nothing.like.it' }
  const first = await deadLetters.list(nothing, { limit: 10 })
  expect(first).toEqual({ items: [], next: expect.any(String) })
  const page = { limit: 10, after: first.next as string }
  expect(await deadLetters.list(nothing, page)).toEqual({ items: [], next: undefined })
  expect(await lookedAt(() => deadLetters.list(nothing, { limit: 10 }))).toBeLessThan(10_500)

  const all = await deadLetters.list({}, { limit: 10_000 })
  const rest = await deadLetters.list({}, { limit: 10_000, after: all.next as string })
  const last = rest.items.at(-1)
  if (last?.deadAt == null) throw new Error('Not all are listed')
  const of = { eventIds: [last.eventId] }
  expect((await deadLetters.list(of, { limit: 10 })).items.map(({ id }) => id)).toEqual([last.id])
  expect(await lookedAt(() => deadLetters.list(of, { limit: 10 }))).toBeLessThan(10)
  expect(await lookedAt(() => deadLetters.count(of))).toBeLessThan(10)
  const late = { deadAfter: new Date(last.deadAt.getTime() - 1) }
  expect(await deadLetters.count(late)).toBeGreaterThan(0)
  expect(await lookedAt(() => deadLetters.count(late))).toBeLessThan(3_000)
  const early = { deadBefore: all.items[0]?.deadAt ?? new Date() }
  expect(await lookedAt(() => deadLetters.count(early))).toBe(0)

  // The redrive takes three portions. In earlier releases each portion looked at all letters.
  const redriving = () => redriver(deadLetters).redrive({ type: 'rare' }, { ratePerSecond: 100 })
  expect(await lookedAt(redriving)).toBeLessThan(30_000)
  expect(await deadLetters.count({ type: 'rare' })).toBe(0)
})
