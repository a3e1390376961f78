import { randomUUID } from 'node:crypto'
import {
  type EventLog,
  type FailedDelivery,
  type HeldSlot,
  type LoggedEvent,
  type Position,
  SLOTS,
  type TakenSlot,
} from '@oncekey/core'
import { postgresLog, purge } from '@oncekey/postgres'
import { type Statement, sqlClientOf } from '@oncekey/postgres/client'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { recordVerdicts } from '../../src/log/statements/deliveries.ts'
import { testDatabase } from '../database/test-database.ts'

/** Who waits for a lock in this database. Other tests wait for theirs on the same server. */
const WAITS = `select from pg_stat_activity
  where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`

describe.each(['repeatable read', 'serializable'])('in sessions set to %s', (isolation) => {
  const database = testDatabase()
  const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
  const consumer = 'email'
  const somebodyWaits = async (): Promise<boolean> => (await database.query(WAITS)).length > 0

  // A bug: two sessions that named the life at the same time did not see one another, even under
  // the lock. With two names in the table every lease and every reading failed, for ever.
  test('two relays that begin after a crash agree on the name of the life', async () => {
    const log = postgresLog({ client: database.pool({ options }) })
    await database.query('truncate oncekey.life')
    const first = await database.pool({ options }).connect()
    await first.query('begin')
    await first.query('select oncekey.name_life()')
    const subscribed = log.subscribe({ consumer, types: null, startAt: 'now' })
    await waitFor(somebodyWaits, { what: 'the second relay to wait for the first one' })
    await first.query('commit')
    first.release()
    await subscribed
    const held = await log.lease({ consumer, relay: 'one', leaseMs: 60_000, holding: [] })
    expect(held.taken).toHaveLength(SLOTS)
    expect(await database.query('select from oncekey.life')).toHaveLength(1)
  })

  test('a process of the release before, which names the life as well, is refused once', async () => {
    const pool = database.pool({ options })
    await database.query('truncate oncekey.life')
    const first = await pool.connect()
    await first.query('begin')
    await first.query('select oncekey.name_life()')
    const second = pool.query('select oncekey.name_life()').catch((error: unknown) => error)
    await waitFor(somebodyWaits, { what: 'the second process to wait for the first one' })
    await first.query('commit')
    first.release()
    expect(await second).toMatchObject({ code: expect.stringMatching(/23505|40001/) })
    const named = await pool.query('select oncekey.name_life()')
    expect(named.rows).toEqual((await pool.query('select oncekey.life() as name_life')).rows)
    expect(await database.query('select from oncekey.life')).toHaveLength(1)
  })

  // A bug: what was filed behind a delivery whose verdict was being recorded was never due.
  test('a delivery that is filed while the one before it ends comes next', async () => {
    const pool = database.pool({ options })
    const log = postgresLog({ client: pool })
    const reader = await readerOf(log, 'in order')
    const emit = async (subject: string): Promise<LoggedEvent> => {
      await log.append([
        {
          id: randomUUID(),
          type: 'order.created',
          source: '/',
          subject,
          orderingKey: 'order-1',
          data: '{}',
          headers: {},
          occurredAt: new Date(),
        },
      ])
      const [event] = await reader.read()
      if (event === undefined) throw new Error('the event was not read')
      return event
    }
    const error = { name: 'E', message: 'm', code: null, stack: null, fingerprint: 'f' }
    const attempt = { startedAtMs: Date.now(), durationMs: 1, error }
    const verdict = { kind: 'retrying', delayMs: 0 } as const
    const first = await emit('first')
    await reader.advance(first, { event: first, verdict, attempt })
    const { deliveries } = await reader.takeDue()
    expect(deliveries.map(({ event }) => event.subject)).toEqual(['first'])
    const second = await emit('second')

    // Recording the verdict takes long, as with a synchronous standby that is away.
    const settling = await database.pool().connect()
    await settling.query('begin')
    const settle = recordVerdicts('oncekey')({
      consumer: 'in order',
      slots: [reader.held(first.slot)],
      settled: [
        { id: deliveries[0]?.id ?? '', slot: first.slot, verdict: { kind: 'done' }, attempt: null },
      ],
    })
    await settling.query(settle.text, [...settle.values])
    const filed = reader.advance(second, { event: second, verdict, attempt: null })
    await waitFor(somebodyWaits, { what: 'the cursor to be waited for' })
    await settling.query('commit')
    settling.release()
    await filed
    const { deliveries: next } = await reader.takeDue()
    expect(next.map(({ event }) => event.subject)).toEqual(['second'])
  })

  test('eight relays take, renew and leave slots at once without an error', async () => {
    const log = postgresLog({ client: database.pool({ options, max: 8 }) })
    await log.subscribe({ consumer: 'shared', types: null, startAt: 'now' })
    await Promise.all(
      Array.from({ length: 8 }, async (_, at) => {
        const relay = `relay ${at}`
        let holding: readonly TakenSlot[] = []
        for (let turn = 0; turn < 5; turn += 1) {
          const request = { consumer: 'shared', relay, leaseMs: 60_000, holding }
          const { taken, lost } = await log.lease(request)
          holding = [...holding.filter(({ slot }) => !lost.includes(slot)), ...taken]
          const slots = holding.slice(0, 3)
          await log.release({ consumer: 'shared', relay, slots, leaving: false })
          holding = holding.slice(3)
        }
        await log.release({ consumer: 'shared', relay, slots: holding, leaving: true })
      }),
    )
  })

  test('eight calls of purge at once divide the work without an error', async () => {
    await database.query(
      `insert into oncekey.records (namespace, scope, key, fingerprint, status, headers, body)
         select 'http', '', n::text, 'f', 200, '[]', 'b' from generate_series(1, 2000) n`,
    )
    const pool = database.pool({ options, max: 8 })
    const all = { resultRetentionMs: 0, keyRetentionMs: 0, limit: 500 }
    await Promise.all(Array.from({ length: 8 }, () => purge(pool, all)))
    while ((await purge(pool, all)).more);
    expect(await database.query('select from oncekey.records')).toEqual([])
  })

  // A bug: a host that froze before COMMIT kept its relay's row locked, which others took for a
  // renewal, and no other relay got its slots for as long as the connection existed.
  test('a transaction that leases slots is not idle for long', async () => {
    const sql = sqlClientOf(database.pool({ options }), { prepare: false })
    const limits: string[] = []
    const log = postgresLog<PoolClient>({
      client: {
        ...sql,
        async begin(asked) {
          const begun = await sql.begin(asked)
          const [row] = await begun.transaction.query(LIMIT)
          limits.push(`${asked.first.name} ${row?.idle}`)
          return begun
        },
      },
    })
    await log.subscribe({ consumer: 'frozen', types: null, startAt: 'now' })
    const asked = { consumer: 'frozen', relay: 'one', leaseMs: 60_000, holding: [] }
    const { taken } = await log.lease(asked)
    const [slot] = taken
    if (slot === undefined) throw new Error('no slot was taken')
    await log.suspect({ consumer: 'frozen', slot, eventId: 'suspect' })
    const work = { consumer: 'frozen', relay: 'one', perSecond: 1, lastError: null }
    await log.control?.report?.(work)
    await log.release({ consumer: 'frozen', relay: 'one', slots: taken, leaving: true })
    expect(new Set(limits.filter((limit) => !/clock|mend_times/.test(limit)))).toEqual(
      new Set([
        'subscribe 10s',
        'set_subscriptions 10s',
        'lease_slots 10s',
        'suspect 10s',
        'report_work 10s',
        'release_slots 10s',
      ]),
    )
    const before = await database.pool({ options: `${options} ${SHORTER}` }).connect()
    await before.query('begin isolation level read committed')
    await before.query('select oncekey.at_read_committed()')
    expect((await before.query(LIMIT.text)).rows).toEqual([{ idle: '2s' }])
    await before.query('commit')
    before.release()
  })

  test('after one refusal what writes is sent at READ COMMITTED at once', async () => {
    const sql = sqlClientOf(database.pool({ options }), { prepare: false })
    const sent: string[] = []
    const log = postgresLog<PoolClient>({
      client: {
        ...sql,
        query(statement, limits) {
          sent.push(statement.name)
          return sql.query(statement, limits)
        },
      },
    })
    await log.subscribe({ consumer: 'calm', types: null, startAt: 'now' })
    const reader = await readerOf(log, 'calm')
    await reader.read()
    await reader.leave()
    expect(sent.filter((name) => /subscribe|lease|release/.test(name))).toEqual(['subscribe'])
    // What only reads needs no transaction.
    expect(sent).toContain('read_events')
  })
})

const LIMIT: Statement<{ idle: string }> = {
  name: 'limit',
  text: `select current_setting('idle_in_transaction_session_timeout') as idle`,
  values: [],
}
const SHORTER = '-c idle_in_transaction_session_timeout=2s'

/** A relay that holds all slots of a new consumer, and reads on. */
async function readerOf(log: EventLog<PoolClient>, consumer: string) {
  await log.subscribe({ consumer, types: null, startAt: 'now' })
  const relay = 'one'
  const { taken } = await log.lease({ consumer, relay, leaseMs: 60_000, holding: [] })
  let slots: readonly { slot: number; position: Position }[] = taken
  const held = (slot: number): HeldSlot => {
    const epoch = taken.find((each) => each.slot === slot)?.epoch
    return { slot, epoch: epoch ?? '' }
  }
  return {
    held,
    async read(): Promise<readonly LoggedEvent[]> {
      const page = await log.read({ consumer, types: null, slots, limit: 10 })
      slots = page.next
      return page.events
    },
    /** Moves the cursor of the event's slot past it, and files it. */
    async advance({ slot, position }: LoggedEvent, failed: FailedDelivery): Promise<void> {
      const moved = { ...held(slot), position, calm: false, failed: [failed] }
      const { lost } = await log.advance({ consumer, slots: [moved] })
      expect(lost).toEqual([])
    },
    takeDue: () => log.takeDue({ consumer, slots: taken, except: [], limit: 10, run: 10 }),
    leave: () => log.release({ consumer, relay, slots: taken, leaving: true }),
  }
}
