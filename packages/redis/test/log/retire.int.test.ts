import type { EventLog, LoggedEvent } from '@oncekey/core'
import { redisLog } from '@oncekey/redis'
import { type RedisServer, startNode, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { eventOf } from '../servers/claims.ts'

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
beforeEach(() => client.flushall())

const consumer = 'email'
const logOf = (): EventLog<never> => redisLog({ client })

/** Takes all slots, reads all events and fails each of them. */
async function fail(log: EventLog<never>): Promise<LoggedEvent[]> {
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const { taken } = await log.lease({ consumer, relay: 'r', leaseMs: 60_000, holding: [] })
  const page = await log.read({ consumer, types: null, slots: taken, limit: 1_000 })
  await log.advance({
    consumer,
    slots: page.next.map(({ slot, position }) => ({
      slot,
      position,
      epoch: taken.find((each) => each.slot === slot)?.epoch ?? '',
      calm: false,
      failed: page.events
        .filter((event) => event.slot === slot)
        .map((event, at) => ({
          event,
          verdict:
            at % 2 === 0
              ? { kind: 'dead', reason: 'permanent' }
              : { kind: 'retrying', delayMs: 3_600_000 },
          attempt: null,
        })),
    })),
  })
  return [...page.events]
}

const counts = async (log: EventLog<never>) => ({
  dead: await log.deadLetters.count({}),
  retrying: (await log.deadLetters.listRetrying({}, { limit: 1_000 })).items.length,
})

// The numbers are those of the scripts in the order in which they are sent: the mark, the cursors,
// 64 slots, the mark. The first few are sent twice, because the server does not know them yet.
test.each(['1', '2', '3', '5', '6', '7', '20', '60', '66', 'never'])(
  'a retirement killed at script %s leaves nothing for the next consumer of that name',
  async (dieAt) => {
    const log = logOf()
    await log.append(Array.from({ length: 200 }, () => eventOf()))
    const events = await fail(log)
    const before = await counts(log)
    expect(before.dead + before.retrying).toBe(200)
    const child = await startNode(new URL('../children/retire.ts', import.meta.url), {
      env: { REDIS_URL: server.url, DIE_AT: dieAt },
    })
    const { signal } = await child.exited
    expect(signal).toBe(dieAt === 'never' ? null : 'SIGKILL')
    const isKnown = (await client.hlen('oncekey:{1}:consumers')) === 1
    if (isKnown) {
      expect(await counts(log)).toEqual(before)
      await log.retire(consumer, { remaining: 'discard', note: 'replaced' })
    } else {
      // A redrive does not take the letters that the retirement had not reached.
      expect((await log.deadLetters.redrive({}, { limit: 1_000 })).redriven).toEqual([])
      await log.subscribe({ consumer, types: null, startAt: 'beginning' })
    }
    expect(await counts(log)).toEqual({ dead: 0, retrying: 0 })
    expect(await log.deadLetters.count({ retired: true })).toBe(0)
    expect(await fail(log)).toHaveLength(events.length)
    expect(await counts(log)).toEqual(before)
  },
)

test('what the previous release retired is set aside when a consumer of that name starts', async () => {
  const log = logOf()
  await log.append(Array.from({ length: 20 }, () => eventOf()))
  await fail(log)
  const partition = (await client.keys('oncekey:*:subscriptions:email'))[0] ?? ''
  await client.set(partition.replace('subscriptions', 'retired'), '')
  for (const key of await client.keys('oncekey:*:consumers')) await client.hdel(key, consumer)
  const letters = (await log.deadLetters.list({}, { limit: 1 })).items
  const ids = letters.map(({ id }) => id)
  expect((await log.deadLetters.redrive({ ids }, { limit: 1 })).refused).toEqual([
    { id: ids[0], outcome: 'retired' },
  ])
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  expect(await counts(log)).toEqual({ dead: 0, retrying: 0 })
  expect(await log.deadLetters.count({ retired: true })).toBe(20)
})

test('a name that is a pattern, or a prefix of another name, sets aside only its own deliveries', async () => {
  const log = logOf()
  for (const name of ['a*', 'ab', 'a[b]', 'a\nb', 'a']) {
    await log.subscribe({ consumer: name, types: null, startAt: 'now' })
  }
  await log.append([eventOf()])
  for (const name of ['a*', 'ab', 'a[b]', 'a\nb', 'a']) {
    const asked = { consumer: name, relay: 'r', leaseMs: 60_000, holding: [] }
    const { taken } = await log.lease(asked)
    const page = await log.read({ consumer: name, types: null, slots: taken, limit: 10 })
    const [event] = page.events as [LoggedEvent]
    await log.advance({
      consumer: name,
      slots: page.next
        .filter(({ slot }) => slot === event.slot)
        .map(({ slot, position }) => ({
          slot,
          position,
          epoch: taken.find((each) => each.slot === slot)?.epoch ?? '',
          calm: false,
          failed: [{ event, verdict: { kind: 'dead', reason: 'permanent' }, attempt: null }],
        })),
    })
  }
  let left = 5
  for (const name of ['a', 'a*', 'a[b]', 'a\nb', 'ab']) {
    expect(await log.retire(name)).toEqual({ kept: 1, discarded: 0 })
    left -= 1
    expect(await log.deadLetters.count({})).toBe(left)
  }
})

test('a consumer that starts anew is not paused, if the release before had retired it', async () => {
  const log = logOf()
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  await log.retire(consumer)
  // That release did not delete the pause record.
  const [mark = ''] = await client.keys(`*:retired:${consumer}`)
  await client.hset(mark.replace(':retired:', ':paused:'), 'at', '1', 'by', 'maria@shop.example')
  expect(await log.control.paused([consumer])).toEqual([consumer])
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  expect(await log.control.paused([consumer])).toEqual([])
})

// A bug: a relay that ran on took the cursors for lost once the mark of the retirement had expired,
// and made them anew from the oldest event on.
test('what was retired stays so under a relay that runs on, also when the mark has expired', async () => {
  const log = logOf()
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const lease = () => log.lease({ consumer, relay: 'r', leaseMs: 60_000, holding: [] })
  expect((await lease()).taken).toHaveLength(64)
  // Another process, such as the CLI.
  await logOf().retire(consumer)
  expect((await lease()).taken).toEqual([])
  // Seven days later.
  expect(await client.del(...(await client.keys(`*:retired:${consumer}`)))).toBe(1)
  await lease()
  expect((await lease()).taken).toEqual([])
})

test('a relay that ran on while its consumer was retired and begun anew keeps it from being lost', async () => {
  const log = logOf()
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const lease = () => log.lease({ consumer, relay: 'r', leaseMs: 60_000, holding: [] })
  await lease()
  const other = logOf()
  await other.retire(consumer)
  await lease()
  await other.subscribe({ consumer, types: null, startAt: 'beginning' })
  expect((await lease()).taken).toHaveLength(64)
  await client.flushall()
  await lease()
  expect((await lease()).taken).toHaveLength(64)
})
