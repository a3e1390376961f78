import { randomUUID } from 'node:crypto'
import type { EventLog, FailedDelivery, LoggedEvent } from '@oncekey/core'
import { postgresLog } from '@oncekey/postgres'
import { startNode, waitFor } from '@oncekey/test-servers'
import { beforeEach, describe, expect, test } from 'vitest'
import { eventOf } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()
const logOf = (max = 2) => postgresLog({ client: database.pool({ max }) }) as EventLog<never>
beforeEach(async () => {
  await database.query('delete from oncekey.consumers')
  await database.query('truncate oncekey.deliveries, oncekey.delivery_attempts')
})

/** Takes all slots of a consumer and reads its events of one type. */
async function reader(log: EventLog<never>, types: readonly string[]) {
  const consumer = 'email'
  await log.subscribe({ consumer, types, startAt: 'beginning' })
  const asked = { consumer, relay: randomUUID(), leaseMs: 60_000, holding: [] }
  const { taken } = await log.lease(asked)
  const events: LoggedEvent[] = []
  let slots: readonly { slot: number; position: string }[] = taken
  for (let more = true; more; ) {
    const page = await log.read({ consumer, types, slots, limit: 100 })
    events.push(...page.events)
    slots = page.next
    more = page.more
  }
  const advance = (failed: readonly FailedDelivery[]) =>
    log.advance({
      consumer,
      slots: slots.map(({ slot, position }) => ({
        slot,
        position,
        epoch: taken.find((each) => each.slot === slot)?.epoch ?? '',
        calm: false,
        failed: failed.filter(({ event }) => event.slot === slot),
      })),
    })
  return { events, advance, taken }
}

const failed = (event: LoggedEvent, kind: 'dead' | 'retrying'): FailedDelivery => ({
  event,
  verdict: kind === 'dead' ? { kind, reason: 'permanent' } : { kind, delayMs: 0 },
  attempt: {
    startedAtMs: 0,
    durationMs: 1,
    error: { name: 'E', message: 'no', code: null, stack: null, fingerprint: 'e' },
  },
})

/** Files this many dead letters of the consumer, and the same number of retrying deliveries. */
async function withFailures(log: EventLog<never>, each: number): Promise<string> {
  const type = `t.${randomUUID()}`
  await log.append(Array.from({ length: 2 * each }, () => eventOf({ type })))
  const { events, advance } = await reader(log, [type])
  await advance(events.map((event, at) => failed(event, at < each ? 'dead' : 'retrying')))
  return type
}

const states = async (): Promise<Record<string, number>> =>
  Object.fromEntries(
    (
      await database.query<{ state: string; count: number }>(
        `select state || case when generation = 0 then '' else ', past' end as state,
             count(*)::integer as count
           from oncekey.deliveries group by 1`,
      )
    ).map(({ state, count }) => [state, count]),
  )

describe('retire', () => {
  test('whose process is killed half-way has done everything or nothing', async () => {
    const log = logOf()
    await withFailures(log, 20)
    const other = await database.pool({ max: 1 }).connect()
    // The statement stops half-way, at this locked row.
    await other.query('begin')
    await other.query(
      'select from oncekey.deliveries where id = (select max(id) from oncekey.deliveries) for update',
    )
    const child = await startNode(new URL('../children/retire.ts', import.meta.url), {
      env: { DATABASE_URL: database.url() },
    })
    const waiting = async () =>
      (
        await database.query(
          "select from pg_stat_activity where query like '%.retire_2(%' and wait_event_type = 'Lock'",
        )
      ).length === 1
    await waitFor(waiting, { what: 'retire to wait for the row' })
    child.kill()
    await child.exited
    expect(await states()).toEqual({ dead: 20, retrying: 20 })
    expect(await database.query('select from oncekey.cursors')).toHaveLength(64)
    await other.query('commit')
    other.release()
    await waitFor(
      async () =>
        (
          await database.query(
            "select from pg_stat_activity where query like '%.retire_2(%' and state = 'active' and pid <> pg_backend_pid()",
          )
        ).length === 0,
      { what: 'its backend to end' },
    )
    const consumers = await database.query('select from oncekey.consumers')
    expect(await states()).toEqual(
      consumers.length === 0 ? { 'retired, past': 40 } : { dead: 20, retrying: 20 },
    )
    await log.retire('email')
    expect(await states()).toEqual({ 'retired, past': 40 })
  })

  test('leaves nothing behind while relays file and operators redrive', async () => {
    const log = logOf(20)
    const type = `t.${randomUUID()}`
    await log.append(Array.from({ length: 60 }, () => eventOf({ type })))
    const { events, advance } = await reader(log, [type])
    await advance(events.slice(0, 40).map((event) => failed(event, 'dead')))
    await Promise.all([
      ...events.slice(40, 50).map((event) => advance([failed(event, 'retrying')])),
      ...Array.from({ length: 10 }, () => log.deadLetters.redrive({}, { limit: 2 })),
      log.retire('email'),
      ...Array.from({ length: 10 }, () => log.deadLetters.redrive({}, { limit: 2 })),
      ...events.slice(50).map((event) => advance([failed(event, 'retrying')])),
    ])
    expect(Object.keys(await states())).toEqual(['retired, past'])
  })
})

// These tests use the statements of the previous release.
describe('a process of the previous release', () => {
  const retired = () => database.query("delete from oncekey.consumers where name = 'email'")
  const redriven = () =>
    database.query(
      `update oncekey.deliveries set state = 'retrying', attempts = 0, starts = 0,
           redrives = redrives + 1, due_at = clock_timestamp()
         where state = 'dead'`,
    )

  test('that retires a consumer sets aside what the consumer leaves', async () => {
    const log = logOf()
    await withFailures(log, 2)
    await retired()
    expect(await states()).toEqual({ 'retired, past': 4 })
  })

  test('redrives no letter that was set aside', async () => {
    const log = logOf()
    await withFailures(log, 2)
    await log.retire('email')
    await redriven()
    expect(await states()).toEqual({ 'retired, past': 4 })
  })

  test('files the failed events of a new consumer of that name', async () => {
    const log = logOf()
    const type = await withFailures(log, 2)
    await log.retire('email')
    await database.query("select oncekey.subscribe('email', false)")
    const { events, advance } = await reader(log, [type])
    expect(events).toHaveLength(4)
    await advance(events.map((event) => failed(event, 'retrying')))
    expect(await states()).toEqual({ 'retired, past': 4, retrying: 4 })
  })

  test('that retired a consumer before the migration left nothing for a new consumer of that name', async () => {
    const log = logOf()
    const type = await withFailures(log, 1)
    await database.query('alter table oncekey.consumers disable trigger consumers_begin_anew')
    await retired()
    await database.query('alter table oncekey.consumers enable trigger consumers_begin_anew')
    const { items } = await log.deadLetters.list({}, { limit: 10 })
    const ids = items.map(({ id }) => id)
    expect(await log.deadLetters.redrive({ ids }, { limit: 10 })).toEqual({
      redriven: [],
      refused: [{ id: ids[0], outcome: 'retired' }],
    })
    await reader(log, [type])
    expect(await states()).toEqual({ 'retired, past': 2 })
  })
})
