import type { EventLog, Position } from '@oncekey/core'
import { postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { eventOf } from '../database/claims.ts'
import { sequencesOf } from '../database/documented-sequences.ts'
import { testDatabase } from '../database/test-database.ts'
import { readAll } from './read-all.ts'

const database = testDatabase()

const anothers = `update oncekey.numbering set system = 'another'`
/** Moves the events to the partition of three days ago. */
const THREE_DAYS_AGO = `
  with moved as (delete from oncekey.outbox returning *)
    insert into oncekey.outbox (part, slot, seq, xid, id, type, source, subject, ordering_key,
        data, headers, occurred_at)
      overriding system value
      select (floor(extract(epoch from now()) / 86400)::bigint - 3) % 8, slot, seq, xid, id,
          type, source, subject, ordering_key, data, headers, occurred_at from moved`
const restarted = `alter sequence oncekey.outbox_seq_seq restart`

// A bug: the sequence was compared with the events that are left. Where retention had taken all of
// them it stayed below the cursors, and as many new events as there had ever been reached no
// consumer, with a lag of 0.
test.each([
  ['a copy of an empty log without its sequence', async () => [anothers, restarted]],
  [
    'a copy of an empty log whose sequences were set as the docs say',
    async () => [anothers, restarted, await sequencesOf('Switching to a logical subscriber')],
  ],
  ['a log whose sequence alone was set back', async () => [restarted]],
  [
    'a copy that a relay of an earlier release has repaired',
    async () => [anothers, restarted, 'select oncekey.rebase_2()'],
  ],
])('%s gives each new event to every consumer, once', async (what, statements) => {
  const consumer = what.replaceAll(' ', '-')
  const pool = database.pool({ max: 6 })
  const log = postgresLog({ client: pool }) as EventLog<PoolClient>
  await log.append(Array.from({ length: 200 }, () => eventOf()))
  await readAll(log, consumer)
  // As retention does, once all have passed them.
  await pool.query('truncate oncekey.outbox')
  for (const statement of await statements()) await pool.query(statement)
  const copied = postgresLog({ client: pool }) as EventLog<PoolClient>
  expect(await readAll(copied, consumer)).toEqual([])
  for (const event of [eventOf(), eventOf()]) {
    await copied.append([event])
    expect((await copied.lag(consumer)).events).toBe(1)
    expect(await readAll(copied, consumer)).toEqual([event.id])
  }
  expect(await readAll(copied, consumer)).toEqual([])
})

test('a relay that ran on while the sequence was set back gets what was appended since', async () => {
  const log = postgresLog({ client: database.pool({ max: 6 }) }) as EventLog<PoolClient>
  const asked = { consumer: 'running', relay: 'running', leaseMs: 60_000 }
  await log.append(Array.from({ length: 200 }, () => eventOf()))
  await readAll(log, 'running')
  const held = await log.lease({ ...asked, holding: [] })
  await database.query('truncate oncekey.outbox restart identity')
  const event = eventOf()
  await log.append([event])
  const { lost, taken } = await log.lease({ ...asked, holding: held.taken })
  expect([lost.length, taken.length]).toEqual([64, 64])
  const page = await log.read({ consumer: 'running', types: null, slots: taken, limit: 100 })
  expect(page.events.map(({ id }) => id)).toEqual([event.id])
})

test('a lag finds a sequence that was set back, and no lease is needed to repair the cursors', async () => {
  const log = postgresLog({ client: database.pool({ max: 6 }) }) as EventLog<PoolClient>
  await log.append(Array.from({ length: 200 }, () => eventOf()))
  await readAll(log, 'asked')
  await database.query('truncate oncekey.outbox restart identity')
  await log.append([eventOf()])
  expect((await log.lag('asked')).events).toBe(1)
  const behind = `select events from oncekey.consumer_lag where consumer = 'asked'`
  expect(await database.query(behind)).toEqual([{ events: '1' }])
})

// A bug: only the numbers of transactions were looked at, and by these it counted as passed.
test('retention keeps what was appended since the sequence was set back', async () => {
  const log = postgresLog({ client: database.pool({ max: 6 }) }) as EventLog<PoolClient>
  const asked = { consumer: 'unaware', relay: 'unaware', leaseMs: 60_000, holding: [] }
  await log.append(Array.from({ length: 200 }, () => eventOf()))
  await readAll(log, 'unaware')
  const { taken } = await log.lease(asked)
  await database.query('truncate oncekey.outbox restart identity')
  await log.append([eventOf()])
  await database.query(THREE_DAYS_AGO)
  await database.query(`delete from oncekey.consumers where name <> 'unaware'`)
  let slots: readonly { slot: number; position: Position }[] = taken
  const isPassed = async (): Promise<boolean> => {
    const page = await log.read({ consumer: 'unaware', types: null, slots, limit: 100 })
    expect(page.events).toEqual([])
    slots = page.next
    const rows = await database.query(
      `select from oncekey.outbox o where o.xid::text::bigint < pg_snapshot_xmin($1)::text::bigint`,
      [slots[0]?.position.split('|')[1]],
    )
    return rows.length > 0
  }
  await waitFor(isPassed, { what: 'older transactions to end', timeoutMs: 30_000 })
  await log.advance({
    consumer: 'unaware',
    slots: taken.map(({ slot, epoch }) => ({
      slot,
      epoch,
      position: slots.find((each) => each.slot === slot)?.position ?? '',
      calm: false,
      failed: [],
    })),
  })
  expect((await log.maintain()).dropped).toBe(0)
  expect(await database.query('select from oncekey.outbox')).toHaveLength(1)
  expect((await log.lag('unaware')).events).toBe(1)
})

// A bug: an abandoned consumer's cursors counted, too. Nobody leases its slots, so nobody repaired
// them, and nothing was deleted until the sequence had come as far.
test('an abandoned consumer of before the sequence was set back keeps nothing from deletion', async () => {
  const log = postgresLog({ client: database.pool({ max: 6 }) }) as EventLog<PoolClient>
  await database.query('truncate oncekey.outbox')
  await database.query('delete from oncekey.consumers')
  await log.append(Array.from({ length: 200 }, () => eventOf()))
  await readAll(log, 'gone')
  await database.query(`update oncekey.consumers set abandoned_at = now() where name = 'gone'`)
  await database.query('truncate oncekey.outbox restart identity')
  await log.append([eventOf()])
  await database.query(THREE_DAYS_AGO)
  await readAll(log, 'alone')
  const asked = { consumer: 'alone', eventIds: [eventOf().id], timeoutMs: 5_000 }
  await (await log.takeIn(asked)).commit([])
  await database.query(
    `update oncekey.processed_events set processed_at = processed_at - interval '60 days'`,
  )
  const isDropped = async (): Promise<boolean> => {
    await readAll(log, 'alone')
    return (await log.maintain()).dropped > 0
  }
  await waitFor(isDropped, { what: 'older transactions to end', timeoutMs: 30_000 })
  const again = await log.takeIn(asked)
  await again.rollback()
  expect(again.fresh.size).toBe(1)

  const late = eventOf()
  await log.append([late])
  expect(await readAll(log, 'gone')).toEqual([late.id])
})

// No cursor that counts has passed the old event, so only the event itself tells that the sequence
// is behind.
test('the inbox remembers what is in the log above its sequence, whoever has passed it', async () => {
  const log = postgresLog({ client: database.pool({ max: 6 }) }) as EventLog<PoolClient>
  await database.query('truncate oncekey.outbox')
  await database.query('delete from oncekey.consumers')
  await database.query(`select setval('oncekey.outbox_seq_seq', 1000)`)
  const old = eventOf()
  await log.append([eventOf(), old])
  await readAll(log, 'gone')
  await log.subscribe({ consumer: 'anew', types: null, startAt: 'beginning' })
  const asked = { consumer: 'anew', eventIds: [old.id], timeoutMs: 5_000 }
  await (await log.takeIn(asked)).commit([])
  await database.query(
    `with moved as (update oncekey.outbox set appended_at = appended_at - interval '40 days')
       update oncekey.processed_events set processed_at = processed_at - interval '40 days'`,
  )
  await database.query(`update oncekey.consumers set abandoned_at = now() where name = 'gone'`)
  await database.query(restarted)
  await log.append([eventOf()])
  await log.maintain()
  const again = await log.takeIn(asked)
  await again.rollback()
  expect(again.fresh.size).toBe(0)
})

// A bug: the event with the lowest number was taken for the oldest. It was a new one, and the inbox
// forgot what it had of the old ones, which are all delivered again after the repair.
test('the inbox remembers what is in the log after its sequence was set back', async () => {
  const log = postgresLog({ client: database.pool({ max: 6 }) }) as EventLog<PoolClient>
  await database.query('truncate oncekey.outbox')
  const old = eventOf()
  await log.append([eventOf(), old])
  await readAll(log, 'taker')
  const asked = { consumer: 'taker', eventIds: [old.id], timeoutMs: 5_000 }
  await (await log.takeIn(asked)).commit([])
  await database.query(
    `with moved as (update oncekey.outbox set appended_at = appended_at - interval '40 days')
       update oncekey.processed_events set processed_at = processed_at - interval '40 days'`,
  )
  const isKnown = async (): Promise<boolean> => {
    await log.maintain()
    const again = await log.takeIn(asked)
    await again.rollback()
    return again.fresh.size === 0
  }
  await database.query(restarted)
  await log.append([eventOf()])
  expect(await isKnown()).toBe(true)
  expect(await readAll(log, 'taker')).toContain(old.id)
  expect(await isKnown()).toBe(true)

  await database.query('truncate oncekey.outbox')
  await log.append([eventOf()])
  expect(await isKnown()).toBe(false)
})
