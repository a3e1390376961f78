import { randomUUID } from 'node:crypto'
import {
  type DeliveryAttempt,
  type EventLog,
  type HeldSlot,
  type LoggedEvent,
  type OutboxEvent,
  SLOTS,
  slotOf,
  type TakenSlot,
} from '@oncekey/core'
import { type RedisLogOptions, redisLog } from '@oncekey/redis'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

let server: RedisServer
let client: Redis
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

const logOf = (options: Partial<RedisLogOptions> = {}): EventLog<never> =>
  redisLog({ client, commandTimeoutMs: 20_000, ...options })

const eventOf = (differently: Partial<OutboxEvent> = {}): OutboxEvent => ({
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

const outboxOf = (event: OutboxEvent): string => `oncekey:{${slotOf(event.orderingKey)}}:outbox`

/** Subscribes a consumer from the oldest event, and takes every slot. */
async function hold(
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

async function readAll(log: EventLog, slots: readonly TakenSlot[], consumer = 'email') {
  return log.read({ consumer, types: null, slots, limit: 1_000 })
}

/** Reads all events and passes them. */
async function pass(
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

const attempt: DeliveryAttempt = {
  startedAtMs: 1,
  durationMs: 1,
  error: { name: 'Error', message: 'no', code: null, stack: null, fingerprint: 'no' },
}

describe('entries that are not events', () => {
  test.each([
    ['without an id', { type: 'order.created' }, 'has no `id`'],
    ['without a type', { id: 'e1' }, 'has no `type`'],
    ['with data that is not JSON', { id: 'e2', type: 'a', data: '{' }, 'is not JSON'],
    ['with headers that are a list', { id: 'e3', type: 'a', headers: '[]' }, 'not a JSON object'],
    ['of another program', { temperature: '21' }, 'has no `id`'],
  ])('%s become dead letters, and the events behind them are delivered', async (_, fields, why) => {
    const log = logOf()
    const behind = eventOf()
    await client.xadd(outboxOf(behind), '*', ...Object.entries(fields).flat())
    await log.append([behind])
    const held = await hold(log)
    const { events, lost } = await pass(log, held)
    expect(events.map(({ id }) => id)).toEqual([behind.id])
    expect(lost).toEqual([])
    const { items } = await log.deadLetters.list({}, { limit: 10 })
    expect(items.length).toBe(1)
    expect(items[0]?.error?.message).toContain(why)
    const letter = await log.deadLetters.get(items[0]?.id ?? '')
    expect(JSON.parse(letter?.data ?? '')).toEqual(fields)
    // A second read of the same position finds the entry already filed.
    const again = await log.advance({
      consumer: 'email',
      slots: held.map((each) => ({ ...each, calm: false, failed: [] })),
    })
    expect(again.lost).toEqual([slotOf(behind.orderingKey)])
    expect(await log.deadLetters.count({})).toBe(1)
  })

  test('are read again by the next holder, if the first did not pass them', async () => {
    const [first, second] = [logOf(), logOf()]
    await client.xadd('oncekey:{5}:outbox', '*', 'broken', 'yes')
    const held = await hold(first)
    await readAll(first, held)
    expect(await first.deadLetters.count({})).toBe(0)
    await first.release({ consumer: 'email', relay: 'relay-1', slots: held, leaving: true })
    await pass(second, await hold(second, 'email', 'relay-2'))
    expect(await second.deadLetters.count({})).toBe(1)
  })
})

describe('a relay that lost its slots', () => {
  test('no longer changes cursors, deliveries or counts', async () => {
    const log = logOf()
    const [given, other] = [eventOf(), eventOf()]
    await log.append([given])
    await log.append([other])
    const zombie = await hold(log, 'email', 'zombie', 1)
    const epochOf = (slots: readonly HeldSlot[], slot: number): string =>
      slots.find((each) => each.slot === slot)?.epoch ?? ''
    const { events } = await readAll(log, zombie)
    // It files one event and starts it, so that there is a delivery to record.
    const failing = events.find(({ id }) => id === given.id) as LoggedEvent
    await log.advance({
      consumer: 'email',
      slots: [
        {
          slot: failing.slot,
          epoch: epochOf(zombie, failing.slot),
          position: failing.position,
          calm: false,
          failed: [{ event: failing, verdict: { kind: 'retrying', delayMs: 0 }, attempt }],
        },
      ],
    })
    const { deliveries } = await log.takeDue({
      consumer: 'email',
      slots: zombie,
      except: [],
      limit: 10,
    })
    expect(deliveries.length).toBe(1)
    await hold(log, 'email', 'successor')
    const before = await stateOf()
    expect((await pass(log, zombie)).lost.length).toBe(SLOTS)
    const id = deliveries[0]?.id ?? ''
    const settled = [{ id, slot: failing.slot, verdict: { kind: 'done' } as const, attempt: null }]
    expect((await log.settle({ consumer: 'email', slots: zombie, settled })).lost.length).toBe(
      SLOTS,
    )
    expect(
      await log.takeDue({ consumer: 'email', slots: zombie, except: [], limit: 10 }),
    ).toMatchObject({ deliveries: [] })
    const slot = zombie[0] as HeldSlot
    expect(await log.suspect({ consumer: 'email', slot, eventId: 'e' })).toBe('lost')
    await log.release({ consumer: 'email', relay: 'zombie', slots: zombie, leaving: false })
    expect(await stateOf()).toEqual(before)
  })

  /** Everything stored about cursors and deliveries. */
  async function stateOf(): Promise<unknown> {
    const keys = (await client.keys('*'))
      .filter((key) => /:(consumers|deliveries)$/.test(key))
      .sort()
    return Promise.all(keys.map(async (key) => [key, await client.hgetall(key)]))
  }
})

describe('a verdict', () => {
  test('that is sent again after its answer was lost counts one attempt', async () => {
    const log = logOf()
    await log.append([eventOf()])
    const held = await hold(log)
    const { events } = await readAll(log, held)
    const event = events[0] as LoggedEvent
    const slot = held.find((each) => each.slot === event.slot) as TakenSlot
    const verdict = { kind: 'retrying', delayMs: 0 } as const
    await log.advance({
      consumer: 'email',
      slots: [
        { ...slot, position: event.position, calm: false, failed: [{ event, verdict, attempt }] },
      ],
    })
    const take = () => log.takeDue({ consumer: 'email', slots: held, except: [], limit: 1 })
    const [due] = (await take()).deliveries
    const settled = [{ id: due?.id ?? '', slot: event.slot, verdict, attempt }]
    await log.settle({ consumer: 'email', slots: [slot], settled })
    await log.settle({ consumer: 'email', slots: [slot], settled })
    expect((await take()).deliveries[0]).toMatchObject({ attempts: 2, starts: 3 })
  })
})

describe('the events that a consumer emits for an event', () => {
  test('are appended once and completely, however often they are sent', async () => {
    const log = logOf()
    const events = [eventOf(), eventOf(), eventOf()]
    const asked = { consumer: 'shipping', eventId: 'e1', events }
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => log.emit(asked)))
    expect(outcomes.filter((outcome) => outcome === 'done').length).toBe(1)
    expect(await log.emit({ ...asked, consumer: 'email' })).toBe('done')
    const { events: read } = await readAll(log, await hold(log))
    expect(read.length).toBe(6)
  })
})

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

  test('reports a missing consumer, then abandons it, and then mentions it no more', async () => {
    const log = logOf({ retentionMs: 0 })
    await write(log, 20)
    const alive = await hold(log, 'alive')
    await hold(log, 'gone')
    await pass(log, alive, 'alive')
    await grownSilent('gone', 2 * 3_600_000)
    const missing = await log.maintain()
    expect(missing).toMatchObject({ dropped: 0, abandoned: [], missing: [{ consumer: 'gone' }] })
    await grownSilent('gone', 8 * 86_400_000)
    expect(await log.maintain()).toMatchObject({ dropped: 20, abandoned: ['gone'], missing: [] })
    expect(await log.maintain()).toMatchObject({ abandoned: [], missing: [] })
    // The consumer comes back, and holds events back again.
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

  /** As if no relay had run it for this long. */
  async function grownSilent(consumer: string, ms: number): Promise<void> {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const key = `oncekey:{${slot}}:consumers`
      const cursor = JSON.parse((await client.hget(key, consumer)) ?? '{}')
      await client.hset(key, consumer, JSON.stringify({ ...cursor, seen: Date.now() - ms }))
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

test('refuses a transaction, with a message that says where to write', async () => {
  await expect(
    logOf().takeIn({ consumer: 'a', eventIds: ['e'], timeoutMs: 1 }),
  ).rejects.toMatchObject({ code: 'transaction-unsupported' })
})

test('a slot with many events does not hold up the others: the next page starts behind it', async () => {
  const log = logOf()
  for (let at = 0; at < 200; at += 1) await log.append([eventOf({ orderingKey: 'busy' })])
  const quiet = [1, 2, 3, 4].map((at) => eventOf({ orderingKey: `quiet-${at}` }))
  for (const each of quiet) await log.append([each])
  let slots: readonly { slot: number; position: string }[] = await hold(log)
  const seen: string[] = []
  for (let pages = 0; pages < 2; pages += 1) {
    const page = await log.read({ consumer: 'email', types: null, slots, limit: 50 })
    seen.push(...page.events.map(({ id }) => id))
    slots = page.next
    expect(page.more).toBe(true)
  }
  expect(seen.length).toBe(100)
  expect(seen).toEqual(expect.arrayContaining(quiet.map(({ id }) => id)))
})

test('counts the lag of large events exactly, even over several scripts', async () => {
  const log = logOf()
  const data = JSON.stringify('x'.repeat(300_000))
  for (let at = 0; at < 12; at += 1) await log.append([eventOf({ orderingKey: 'a', data })])
  for (let at = 0; at < 30; at += 1) await log.append([eventOf({ data })])
  const held = await hold(log)
  expect(await log.lag('email')).toMatchObject({ events: 42, oldestMs: expect.any(Number) })
  // Within a stream, Redis cannot tell how many entries follow.
  const { events } = await log.read({ consumer: 'email', types: null, slots: held, limit: 1_000 })
  const second = events.filter(({ slot }) => slot === slotOf('a'))[1] as LoggedEvent
  const slot = held.find((each) => each.slot === second.slot) as TakenSlot
  const move = { ...slot, position: second.position, calm: false, failed: [] }
  await log.advance({ consumer: 'email', slots: [move] })
  expect((await log.lag('email')).events).toBe(40)
  await client.del(...(await client.keys('*outbox')))
  expect(await log.lag('email')).toMatchObject({ events: 0, oldestMs: null })
})
