import { randomUUID } from 'node:crypto'
import type { EventLog, LoggedEvent, Position } from '@oncekey/core'
import { append, postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { beforeEach, describe, expect, test } from 'vitest'
import { eventOf } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

/** Takes all slots, and returns a function that reads on from there. */
async function readerOn(log: EventLog<never>, consumer: string) {
  await log.subscribe({ consumer, types: null, startAt: 'now' })
  const { taken } = await log.lease({ consumer, relay: randomUUID(), leaseMs: 60_000, holding: [] })
  let slots: readonly { slot: number; position: Position }[] = taken
  const read = async (): Promise<LoggedEvent[]> => {
    const events: LoggedEvent[] = []
    for (let more = true; more; ) {
      const page = await log.read({ consumer, types: null, slots, limit: 100 })
      events.push(...page.events)
      slots = page.next
      more = page.more
    }
    return events
  }
  const advance = () =>
    log.advance({
      consumer,
      slots: slots.map(({ slot, position }) => ({
        slot,
        position,
        epoch: taken.find((each) => each.slot === slot)?.epoch ?? '',
        calm: false,
        failed: [],
      })),
    })
  return { read, advance }
}

describe('old events', () => {
  const database = testDatabase()
  const yesterday = () =>
    database.query(
      `with moved as (delete from oncekey.outbox returning *)
       insert into oncekey.outbox (part, slot, xid, id, type, source, subject, ordering_key, data,
           headers, occurred_at)
         select (floor(extract(epoch from now()) / 86400)::bigint - 3) % 8, slot, xid, id, type,
             source, subject, ordering_key, data, headers, occurred_at from moved`,
    )
  const left = async () => (await database.query('select from oncekey.outbox')).length
  /**
   * Waits, because a transaction in any database of the server, also of another test, may briefly
   * keep the events from being dropped.
   */
  const areDropped = (
    log: EventLog<never>,
    readers: readonly Awaited<ReturnType<typeof readerOn>>[],
  ) =>
    waitFor(
      async () => {
        for (const { read, advance } of readers) {
          await read()
          await advance()
        }
        return (await log.maintain()).dropped > 0
      },
      { what: 'the day to be taken away', timeoutMs: 30_000 },
    )
  beforeEach(async () => {
    await database.query('truncate oncekey.outbox')
    await database.query('delete from oncekey.consumers')
  })

  test('are deleted by the day, once every consumer has passed them', async () => {
    const log = postgresLog({ client: database.pool() }) as EventLog<never>
    const [one, two] = [await readerOn(log, 'one'), await readerOn(log, 'two')]
    await log.append([eventOf(), eventOf()])
    await yesterday()
    await one.read()
    await one.advance()
    expect((await log.maintain()).dropped).toBe(0)
    expect(await left()).toBe(2)
    expect(await two.read()).toHaveLength(2)
    await areDropped(log, [one, two])
    expect(await left()).toBe(0)
  })

  test('stay if a consumer has read but not passed them, and today’s always stay', async () => {
    const log = postgresLog({ client: database.pool(), retentionMs: 0 }) as EventLog<never>
    const [one, two] = [await readerOn(log, 'one'), await readerOn(log, 'two')]
    await log.append([eventOf()])
    await one.read()
    await two.read()
    await one.advance()
    await two.advance()
    await log.maintain()
    expect(await left()).toBe(1)
  })

  // A bug: DROP waited for every transaction that had appended, and made all later ones wait behind
  // it.
  test('are deleted while transactions that have appended are open, and neither waits for the other', async () => {
    const pool = database.pool({ max: 5 })
    const log = postgresLog({ client: pool }) as EventLog<never>
    const [one, two] = [await readerOn(log, 'one'), await readerOn(log, 'two')]
    await log.append([eventOf()])
    await yesterday()
    const writer = await pool.connect()
    await writer.query('begin')
    await append(writer, { type: 'open' })
    await areDropped(log, [one, two])
    await log.append([eventOf()])
    await writer.query('commit')
    writer.release()
    expect(await left()).toBe(2)
  })

  test('stay for now if somebody reads them', async () => {
    const pool = database.pool({ max: 5 })
    const log = postgresLog({ client: pool, retentionMs: 0 }) as EventLog<never>
    await log.append([eventOf()])
    await yesterday()
    const old = await pool.connect()
    await old.query('begin isolation level repeatable read')
    await old.query('select count(*) from oncekey.outbox')
    const count = await left()
    expect((await log.maintain()).dropped).toBe(0)
    expect(await left()).toBe(count)
    await old.query('commit')
    old.release()
    await areDropped(log, [])
  })

  test('have a partition on every day to come', async () => {
    const days = await database.query<{ day: number }>(
      `select g::int as day from generate_series(0, 400) g
         where not exists (
           select from pg_class c where c.relname = 'outbox_' || ((floor(extract(epoch from now()) / 86400)::bigint + g) % 8))`,
    )
    expect(days).toEqual([])
  })

  test('are not held for ever by a missing consumer: it is reported first and then abandoned', async () => {
    const client = database.pool()
    const log = postgresLog({ client }) as EventLog<never>
    await log.subscribe({ consumer: 'renamed', types: null, startAt: 'beginning' })
    await log.append([eventOf()])
    await yesterday()
    const readers = [await readerOn(log, 'one'), await readerOn(log, 'two')]
    for (const { read, advance } of readers) {
      await read()
      await advance()
    }
    await database.query(
      "update oncekey.consumers set seen_at = now() - interval '2 hours' where name = 'renamed'",
    )
    const reported = await log.maintain()
    expect(reported.missing.map(({ consumer }) => consumer)).toEqual(['renamed'])
    expect(reported.dropped).toBe(0)
    await database.query(
      "update oncekey.consumers set seen_at = now() - interval '8 days' where name = 'renamed'",
    )
    for (const _ of ['first', 'again']) {
      expect(await log.maintain()).toMatchObject({ dropped: 0, abandoned: [] })
    }
    await database.query(
      "update oncekey.consumers set silent_at = now() - interval '1 hour' where name = 'renamed'",
    )
    const given = await log.maintain()
    expect(given.abandoned).toEqual(['renamed'])
    if (given.dropped === 0) await areDropped(log, readers)
    expect(await left()).toBe(0)
  })

  // A bug: whoever looked first after the clock was put ahead by more than `abandonedAfterMs`, or
  // after everything was off for so long, deleted what the others had not read.
  test('are kept for a consumer that is only late after the clock was put ahead', async () => {
    const log = postgresLog({ client: database.pool() }) as EventLog<never>
    const [early, late] = [await readerOn(log, 'early'), await readerOn(log, 'late')]
    await log.append([eventOf()])
    await yesterday()
    await early.read()
    await early.advance()
    await database.query("update oncekey.consumers set seen_at = now() - interval '8 days'")
    await log.lease({ consumer: 'early', relay: randomUUID(), leaseMs: 60_000, holding: [] })
    expect(await log.maintain()).toMatchObject({ dropped: 0, abandoned: [] })
    await database.query(
      `update oncekey.consumers
         set silent_at = now() - interval '2 hours', seen_at = now() - interval '1 hour'
         where name = 'late'`,
    )
    expect(await log.maintain()).toMatchObject({ dropped: 0, abandoned: [] })
    expect(await late.read()).toHaveLength(1)
    await late.advance()
    await areDropped(log, [early, late])
  })

  test('are forgotten by the inbox after a while, unless a dead letter may bring them back', async () => {
    const client = database.pool()
    const log = postgresLog({ client })
    const [plain, dead] = [eventOf(), eventOf()]
    for (const { id } of [plain, dead]) {
      const intake = await log.takeIn({ consumer: 'purged', eventIds: [id], timeoutMs: 5_000 })
      await intake.commit([])
    }
    await database.query(
      `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
         headers, occurred_at, state, attempts, starts, due_at, dead_at)
       values ('purged', 0, 1, $1, 't', '/', 'k', '1', '{}', now(), 'dead', 1, 1, now(), now())`,
      [dead.id],
    )
    await database.query(
      `update oncekey.processed_events set processed_at = processed_at - interval '31 days'
         where consumer = 'purged'`,
    )
    await log.maintain()
    expect(
      await database.query(
        "select event_id from oncekey.processed_events where consumer = 'purged'",
      ),
    ).toEqual([{ event_id: dead.id }])
  })

  // A bug: the inbox forgot after `inboxRetentionMs` what a consumer had taken in, although the
  // event was still in the log, for a consumer that was paused for longer, for instance. What is in
  // the log is delivered again: to whoever goes on after a crash, and to a consumer that was
  // retired and starts over under its name. It took effect twice.
  test('are remembered by the inbox for as long as they are in the log', async () => {
    const log = postgresLog({ client: database.pool() })
    const event = eventOf()
    await log.subscribe({ consumer: 'paused', types: null, startAt: 'beginning' })
    await log.append([event])
    const asked = { consumer: 'paused', eventIds: [event.id], timeoutMs: 5_000 }
    await (await log.takeIn(asked)).commit([])
    await database.query(
      `with moved as (update oncekey.outbox set appended_at = appended_at - interval '40 days')
       update oncekey.processed_events set processed_at = processed_at - interval '40 days'`,
    )
    await log.maintain()
    const again = await log.takeIn(asked)
    await again.rollback()
    expect([...again.fresh]).toEqual([])

    await database.query('truncate oncekey.outbox')
    await log.maintain()
    expect(
      await database.query('select from oncekey.processed_events where event_id = $1', [event.id]),
    ).toEqual([])
  })
})
