import type { EventLog, Position } from '@oncekey/core'
import { append, postgresLog } from '@oncekey/postgres'
import { startProxy } from '@oncekey/test-servers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { eventOf } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

type Slots = readonly { readonly slot: number; readonly position: Position }[]

async function slotsOf(log: EventLog<never>, consumer: string): Promise<Slots> {
  await log.subscribe({ consumer, types: ['wanted'], startAt: 'now' })
  const { taken } = await log.lease({ consumer, relay: consumer, leaseMs: 60_000, holding: [] })
  return taken
}

const types = ['wanted']

describe('a reading', () => {
  const database = testDatabase()
  const fill = (count: number) =>
    database.query(
      `insert into oncekey.outbox (slot, id, type, source, ordering_key, data, headers, occurred_at)
         select g % 64, gen_random_uuid(), 'other', '/', g::text, '1', '{}', now()
           from generate_series(1, ${count}) g`,
    )

  test('looks at a limited number of rows, continues behind them, and loses no event', async () => {
    const log = postgresLog({ client: database.pool() }) as EventLog<never>
    const consumer = 'rare'
    let slots = await slotsOf(log, consumer)
    await log.append([eventOf({ type: 'wanted', subject: 'first' })])
    await fill(45_000)
    await log.append([eventOf({ type: 'wanted', subject: 'last' })])
    const subjects: (string | null)[] = []
    let pages = 0
    for (let more = true; more; pages += 1) {
      const page = await log.read({ consumer, types, slots, limit: 100 })
      if (pages === 0) expect(page).toMatchObject({ more: true, passed: true })
      slots = page.next
      more = page.more
      subjects.push(...page.events.map(({ subject }) => subject))
    }
    expect(subjects).toEqual(['first', 'last'])
    // Each reading looks at 20,000 rows.
    expect(pages).toBeGreaterThanOrEqual(3)
    const empty = await log.read({ consumer, types, slots, limit: 100 })
    expect(empty).toMatchObject({ events: [], more: false, passed: false })
  })

  test('that stopped half-way does not pass transactions in progress', async () => {
    const pool = database.pool({ max: 5 })
    const log = postgresLog({ client: pool }) as EventLog<never>
    const consumer = 'in-progress'
    let slots = await slotsOf(log, consumer)
    const writer = await pool.connect()
    await writer.query('begin')
    await append(writer, { type: 'wanted', subject: 'late' })
    await fill(25_000)
    const read = async () => {
      const page = await log.read({ consumer, types, slots, limit: 100 })
      slots = page.next
      return page
    }
    expect(await read()).toMatchObject({ events: [], more: true })
    await writer.query('commit')
    writer.release()
    const subjects: (string | null)[] = []
    for (let more = true; more; ) {
      const page = await read()
      more = page.more
      subjects.push(...page.events.map(({ subject }) => subject))
    }
    expect(subjects).toEqual(['late'])
  })

  // A bug: the snapshot listed each subtransaction's number, so for every slot, with every poll, it
  // had 9 MB.
  test('keeps positions short while a hundred thousand subtransactions are in progress', async () => {
    const pool = database.pool({ max: 5 })
    const log = postgresLog({ client: pool }) as EventLog<never>
    const consumer = 'beside-subtransactions'
    let slots = await slotsOf(log, consumer)
    const writer = await pool.connect()
    await writer.query('begin')
    await append(writer, { type: 'wanted', subject: 'with many' })
    await writer.query(
      `do $$ begin
         for n in 1..100000 loop
           begin
             insert into orders values ('sub-' || n);
           exception when unique_violation then null;
           end;
         end loop;
       end $$`,
    )
    for (let polls = 0; polls < 3; polls += 1) {
      const page = await log.read({ consumer, types, slots, limit: 100 })
      slots = page.next
      for (const { position } of slots) expect(position.length).toBeLessThan(10_000)
    }
    await slotsOf(log, 'subscribes-meanwhile')
    await writer.query('commit')
    writer.release()
    const { events } = await log.read({ consumer, types, slots, limit: 100 })
    expect(events.map(({ subject }) => subject)).toEqual(['with many'])
  })

  // A bug: if more than 500 had begun since the last transaction that had completed, one was
  // completed in a round trip of its own. By the next one there were 500 more.
  test('takes one round trip while subtransactions begin all the time', async () => {
    const proxy = await startProxy(Number(new URL(database.url()).port))
    onTestFinished(() => proxy.stop())
    const pool = database.pool({ connectionString: proxy.through(database.url()), max: 1 })
    const log = postgresLog({ client: pool }) as EventLog<never>
    const consumer = 'far-away'
    let slots = await slotsOf(log, consumer)
    const writer = await database.pool({ max: 1 }).connect()
    await writer.query('begin')
    await append(writer, { type: 'wanted', subject: 'late' })
    const enough = () =>
      database.query(`insert into orders values ('enough') on conflict do nothing`)
    const writing = writer.query(
      `do $$ begin
         for n in 1..3000000 loop
           begin
             insert into orders values ('begun-' || n);
           exception when unique_violation then null;
           end;
           exit when n % 100 = 0 and exists (select from orders where id = 'enough');
         end loop;
       end $$`,
    )
    // If the test fails, the writer would go on for minutes, beside all other tests of this server.
    onTestFinished(async () => {
      await enough()
      await writing
      writer.release(true)
    })
    const read = async () => {
      const page = await log.read({ consumer, types, slots, limit: 100 })
      slots = page.next
      return page.events.map(({ subject }) => subject)
    }
    proxy.latency(10)
    for (let polls = 0; polls < 10; polls += 1) {
      proxy.resetCounts()
      expect(await read()).toEqual([])
      expect(proxy.counts().roundTrips).toBe(1)
      for (const { position } of slots) expect(position.length).toBeLessThan(10_000)
    }
    await log.subscribe({ consumer: 'begins-meanwhile', types, startAt: 'now' })
    expect(
      await database.query(`select from oncekey.cursors where length(from_snapshot::text) > 10000`),
    ).toEqual([])
    await log.append([eventOf({ type: 'wanted', subject: 'early' })])
    expect(await read()).toEqual(['early'])
    await enough()
    await writing
    await writer.query('commit')
    expect(await read()).toEqual(['late'])
  })

  // A bug: the row by which a reading uses up a number was refused as a second name of the life.
  test('uses up a number beside the one name that the life has', async () => {
    const log = postgresLog({ client: database.pool() }) as EventLog<never>
    const consumer = 'beside-the-name'
    const slots = await slotsOf(log, consumer)
    const names = () => database.query('select token from oncekey.life')
    const before = await names()
    expect(before).toHaveLength(1)
    const writer = await database.pool({ max: 1 }).connect()
    onTestFinished(() => writer.release(true))
    await writer.query('begin')
    await writer.query(
      `do $$ begin
         for n in 1..1000 loop
           begin
             insert into orders values ('named-' || n);
           exception when unique_violation then null;
           end;
         end loop;
       end $$`,
    )
    const { events } = await log.read({ consumer, types, slots, limit: 100 })
    expect(events).toEqual([])
    const second = database.query(
      `insert into oncekey.life (database)
         select oid from pg_database where datname = current_database()`,
    )
    await expect(second).rejects.toMatchObject({ code: '23505' })
    expect(await names()).toEqual(before)
  })

  test('reaches as far where sessions are serializable by default', async () => {
    const options = '-c default_transaction_isolation=serializable'
    const log = postgresLog({ client: database.pool({ options }) }) as EventLog<never>
    const consumer = 'serializable'
    const slots = await slotsOf(log, consumer)
    const writer = await database.pool({ max: 1 }).connect()
    await writer.query('begin')
    await writer.query(
      `do $$ begin
         for n in 1..1000 loop
           begin
             insert into orders values ('serial-' || n);
           exception when unique_violation then null;
           end;
         end loop;
       end $$`,
    )
    await append(writer, { type: 'wanted', subject: 'late' })
    const first = await log.read({ consumer, types, slots, limit: 100 })
    expect(first.events).toEqual([])
    await writer.query('commit')
    writer.release()
    const { events } = await log.read({ consumer, types, slots: first.next, limit: 100 })
    expect(events.map(({ subject }) => subject)).toEqual(['late'])
  })
})
