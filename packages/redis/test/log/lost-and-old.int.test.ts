import { type EventLog, type HeldSlot, SLOTS, slotOf } from '@oncekey/core'
import { redisLog } from '@oncekey/redis'
import { startProxy } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { client, eventOf, hold, logOf, pass, readAll, server } from './redis-slots.ts'

const DAY_MS = 86_400_000

describe('retention', () => {
  const entries = async (): Promise<number> => {
    const lengths = await Promise.all(
      Array.from({ length: SLOTS }, (_, slot) => client.xlen(`oncekey:{${slot}}:outbox`)),
    )
    return lengths.reduce((sum, one) => sum + one, 0)
  }
  const write = (log: EventLog, count: number) =>
    Promise.all(Array.from({ length: count }, () => log.append([eventOf()])))

  test('deletes only what every consumer has passed and is old enough', async () => {
    const log = logOf({ retentionMs: 0 })
    await write(log, 50)
    expect((await log.maintain()).dropped).toBe(0)
    const [fast, slow] = [await hold(log, 'fast'), await hold(log, 'slow')]
    await pass(log, fast, 'fast')
    expect((await log.maintain()).dropped).toBe(0)
    await pass(log, slow, 'slow')
    expect((await logOf().maintain()).dropped).toBe(0)
    expect((await log.maintain()).dropped).toBe(50)
    expect(await entries()).toBe(0)
    // The streams still exist, and take new events.
    await write(log, 10)
    expect((await pass(log, slow, 'slow')).events.length).toBe(10)
  })

  // A bug: whoever looked first after the clock was put ahead by more than `abandonedAfterMs`, or
  // after everything was off for so long, deleted what the others had not read.
  test('keeps the events of a consumer that is only late after the clock was put ahead', async () => {
    const log = logOf({ retentionMs: 0 })
    await write(log, 20)
    await pass(log, await hold(log, 'early'), 'early')
    const late = await hold(log, 'late')
    await grownSilent('early', 8 * DAY_MS)
    await grownSilent('late', 8 * DAY_MS)
    expect(await log.maintain()).toMatchObject({ dropped: 0, abandoned: [] })
    const renewal = { relay: 'relay-1', leaseMs: 60_000 }
    await log.lease({ consumer: 'early', ...renewal, holding: [] })
    await log.lease({ consumer: 'late', ...renewal, holding: late })
    await movedBack('late', 'silent_at', 3_600_000)
    expect(await log.maintain()).toMatchObject({ dropped: 0, abandoned: [], missing: [] })
    expect((await pass(log, late, 'late')).events.length).toBe(20)
    expect((await log.maintain()).dropped).toBe(20)
  })

  test('reports a missing consumer, then abandons it, and then mentions it no more', async () => {
    const log = logOf({ retentionMs: 0 })
    await write(log, 20)
    const alive = await hold(log, 'alive')
    await hold(log, 'gone')
    await pass(log, alive, 'alive')
    await grownSilent('gone', 2 * 3_600_000)
    const missing = await log.maintain()
    expect(missing).toMatchObject({ dropped: 0, abandoned: [], missing: [{ consumer: 'gone' }] })
    await grownSilent('gone', 8 * DAY_MS)
    for (const _ of ['first', 'again']) {
      expect(await log.maintain()).toMatchObject({ dropped: 0, missing: [{ consumer: 'gone' }] })
    }
    await movedBack('gone', 'silent_at', 3_600_000)
    expect(await log.maintain()).toMatchObject({ dropped: 20, abandoned: ['gone'], missing: [] })
    expect(await log.maintain()).toMatchObject({ abandoned: [], missing: [] })
    // The consumer comes back, and keeps events from being deleted again.
    await log.subscribe({ consumer: 'gone', types: null, startAt: 'beginning' })
    await write(log, 5)
    await pass(log, alive, 'alive')
    expect(await log.maintain()).toMatchObject({ dropped: 0, missing: [] })
  })

  test('forgets a retired consumer at once, and keeps its dead letters', async () => {
    const log = logOf({ retentionMs: 0 })
    await write(log, 5)
    await client.xadd('oncekey:{1}:outbox', '*', 'broken', 'yes')
    await pass(log, await hold(log, 'alive'), 'alive')
    await hold(log, 'removed')
    expect((await log.maintain()).dropped).toBe(0)
    await log.retire('removed')
    expect((await log.maintain()).dropped).toBe(6)
    expect(await log.deadLetters.count({ origin: 'alive' })).toBe(1)
  })

  /** Changes the consumer as if no relay had run it for this long. */
  const grownSilent = (consumer: string, ms: number) => movedBack(consumer, 'seen', ms)

  async function movedBack(consumer: string, time: 'seen' | 'silent_at', ms: number) {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const key = `oncekey:{${slot}}:consumers`
      const cursor = JSON.parse((await client.hget(key, consumer)) ?? '{}')
      await client.hset(key, consumer, JSON.stringify({ ...cursor, [time]: Date.now() - ms }))
    }
  }
})

describe('a server that lost its memory', () => {
  test('restores the consumers of running relays, which start with the events that are there', async () => {
    const log = logOf()
    const held = await hold(log)
    await log.append([eventOf()])
    await pass(log, held)
    await client.flushall()
    const given = eventOf()
    await log.append([given])
    const lease = (holding: readonly HeldSlot[]) =>
      log.lease({ consumer: 'email', relay: 'relay-1', leaseMs: 60_000, holding })
    expect((await lease(held)).lost.length).toBe(SLOTS)
    await lease([])
    const { taken } = await lease([])
    expect((await readAll(log, taken)).events.map(({ id }) => id)).toEqual([given.id])
  })

  test('does not restore a consumer that another process has retired', async () => {
    const log = logOf()
    const held = await hold(log)
    await logOf().retire('email')
    const lease = (holding: readonly HeldSlot[]) =>
      log.lease({ consumer: 'email', relay: 'relay-1', leaseMs: 60_000, holding })
    expect((await lease(held)).lost.length).toBe(SLOTS)
    for (const _ of [1, 2]) expect(await lease([])).toMatchObject({ share: 0, taken: [] })
  })

  test('and whose clock is behind restarts a cursor that is past the end of its stream', async () => {
    const log = logOf()
    const held = await hold(log)
    const future = `${Date.now() + 3_600_000}-0`
    await client.xadd('oncekey:{3}:outbox', future, 'id', 'lost', 'type', 'a', 'source', '/')
    await pass(log, held)
    await client.del('oncekey:{3}:outbox')
    await client.xadd('oncekey:{3}:outbox', '*', 'id', 'fresh', 'type', 'a', 'source', '/')
    const slots = held.map((each) => ({
      ...each,
      position: each.position.replace(/^.*@/, `${future.slice(0, -1)}9@`),
    }))
    const { lost } = await log.advance({
      consumer: 'email',
      slots: slots
        .filter(({ slot }) => slot === 3)
        .map((each) => ({ ...each, calm: false, failed: [] })),
    })
    expect(lost).toEqual([3])
    await log.release({ consumer: 'email', relay: 'relay-1', slots: held, leaving: true })
    const taken = await hold(log, 'email', 'relay-2')
    await client.xadd('oncekey:{3}:outbox', '*', 'id', 'next', 'type', 'a', 'source', '/')
    expect((await readAll(log, taken)).events.map(({ id }) => id)).toEqual(['fresh', 'next'])
  })
})

// A bug: by a cursor that is past the end of its stream the lag was 0, and retention deleted what
// no consumer had read.
test('a stream that was begun anew below a cursor counts as unread, and is kept', async () => {
  const log = logOf({ retentionMs: 0 })
  const held = await hold(log)
  const future = `${Date.now() + 3_600_000}-0`
  await client.xadd('oncekey:{3}:outbox', future, 'id', 'lost', 'type', 'a', 'source', '/')
  await pass(log, held)
  await client.del('oncekey:{3}:outbox')
  await client.xadd('oncekey:{3}:outbox', '*', 'id', 'fresh', 'type', 'a', 'source', '/')
  expect((await log.lag('email')).events).toBe(1)
  expect((await log.maintain()).dropped).toBe(0)
  await log.release({ consumer: 'email', relay: 'relay-1', slots: held, leaving: true })
  const taken = await hold(log, 'email', 'relay-2')
  expect((await readAll(log, taken)).events.map(({ id }) => id)).toEqual(['fresh'])
  await pass(log, taken)
  expect((await log.lag('email')).events).toBe(0)
})

test('a killed server keeps cursors and dead letters with `appendonly`', async () => {
  const log = logOf()
  const [before, after] = [eventOf(), eventOf()]
  await log.append([before])
  await client.xadd('oncekey:{1}:outbox', '*', 'broken', 'yes')
  await pass(log, await hold(log))
  await server.restart()
  await log.append([after])
  await log.release({ consumer: 'email', relay: 'none', slots: [], leaving: true })
  const held = await log.lease({
    consumer: 'email',
    relay: 'relay-1',
    leaseMs: 60_000,
    holding: [],
  })
  expect((await readAll(log, held.taken)).events.map(({ id }) => id)).toEqual([after.id])
  expect(await log.deadLetters.count({})).toBe(1)
})

// A bug: an event that was appended counted as one that Redis could not be asked for, and was
// published again under another id.
test('an append whose reply is lost has an unknown outcome, and is known by its requestId', async () => {
  const proxy = await startProxy(Number(new URL(server.url).port))
  const connection = new Redis(proxy.through(server.url))
  connection.on('error', () => {})
  try {
    const log = redisLog({ client: connection, commandTimeoutMs: 500 })
    const event = eventOf()
    const append = () => log.append([event], { requestId: event.id })
    const appended = () => client.xlen(`oncekey:{${slotOf(event.orderingKey)}}:outbox`)
    await connection.ping()
    proxy.stallDownstream()
    await expect(append()).rejects.toMatchObject({ code: 'commit-failed' })
    expect(await appended()).toBe(1)
    proxy.resume()
    await append()
    expect(await appended()).toBe(1)
  } finally {
    connection.disconnect()
    await proxy.stop()
  }
})
