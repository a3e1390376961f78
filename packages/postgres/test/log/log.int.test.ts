import { randomUUID } from 'node:crypto'
import { type EventLog, type LoggedEvent, OptionsError, type Position } from '@oncekey/core'
import { append, postgresLog, transact } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
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

const idsOf = (events: readonly { id: string }[]) => events.map(({ id }) => id).sort()

describe('a database restored from a dump', () => {
  const database = testDatabase()

  /**
   * Simulates a dump that was restored in a younger cluster: the rows are unchanged, but
   * transaction numbers start lower.
   */
  const restore = async () => {
    const later = (xid: string) => `((${xid})::text::bigint + 1000000000)::text::xid8`
    const snapshotLater = (column: string) => `(
      (pg_snapshot_xmin(${column})::text::bigint + 1000000000) || ':' ||
      (pg_snapshot_xmax(${column})::text::bigint + 1000000000) || ':' ||
      coalesce((select string_agg((x::text::bigint + 1000000000)::text, ',' order by x)
        from pg_snapshot_xip(${column}) x), ''))::pg_snapshot`
    await database.query(`update oncekey.outbox set xid = ${later('xid')}`)
    await database.query(
      `update oncekey.cursors set from_snapshot = ${snapshotLater('from_snapshot')},
         to_snapshot = ${snapshotLater('to_snapshot')}`,
    )
  }

  test('is detected, and undelivered events are delivered together with new ones', async () => {
    const pool = database.pool({ max: 5 })
    const log = postgresLog({ client: pool }) as EventLog<never>
    const before = await readerOn(log, 'restored')
    const other = await readerOn(log, 'restored-too')
    const [passed, unread] = [
      [eventOf(), eventOf()],
      [eventOf({ orderingKey: 'a' }), eventOf({ orderingKey: 'b' })],
    ]
    await log.append(passed)
    await before.read()
    await before.advance()
    // This transaction is open when the cursor is written, and is committed before the dump.
    const writer = await pool.connect()
    await writer.query('begin')
    const [late] = await append(writer, { type: 'late', subject: 'late' })
    await log.append([eventOf({ type: 'seen' })])
    await before.read()
    await before.advance()
    await writer.query('commit')
    writer.release()
    await log.append(unread)
    await restore()

    // A running relay notices the restored database by itself.
    const warned = new Promise<string>((resolve) =>
      process.once('warning', ({ message }) => resolve(message)),
    )
    const position = 'another life|1000000000:1000000000:||0|0'
    const slots = [{ slot: 0, position }]
    const running = log.read({ consumer: 'restored', types: null, slots, limit: 1 })
    await expect(running).rejects.toMatchObject({ code: 'log-restored' })
    const after = await readerOn(postgresLog({ client: pool }) as EventLog<never>, 'restored')
    expect(await warned).toContain('restored from a copy')
    const [fresh] = [eventOf()]
    await log.append([fresh])
    const ids = idsOf(await after.read())
    for (const { id } of [...unread, fresh, late ?? fresh]) expect(ids).toContain(id)
    for (const { id } of passed) expect(ids).not.toContain(id)
    const again = await readerOn(log, 'restored-too')
    expect(idsOf(await again.read())).toEqual(
      expect.arrayContaining(idsOf([...passed, ...unread, fresh])),
    )
    await other.advance()
    expect(await after.read()).toEqual([])
  })
})

describe('a lease', () => {
  const database = testDatabase()

  test('that ends later than its length from now has no effect, because the clock was put back', async () => {
    const log = postgresLog({ client: database.pool() }) as EventLog<never>
    const asked = { consumer: 'put-back', leaseMs: 15_000, holding: [] }
    await log.subscribe({ consumer: asked.consumer, types: null, startAt: 'now' })
    await log.lease({ ...asked, relay: 'gone' })
    const { taken } = await log.lease({ ...asked, relay: 'heir' })
    expect(taken).toEqual([])
    await database.query(
      "update oncekey.relays set until = until + interval '1 hour' where relay = 'gone'",
    )
    await database.query("update oncekey.cursors set lease_until = lease_until + interval '1 hour'")
    expect((await log.lease({ ...asked, relay: 'heir' })).taken).toHaveLength(64)
  })

  test('from another life of the server holds nothing, even if its epoch is given out again', async () => {
    const log = postgresLog({ client: database.pool() }) as EventLog<never>
    const asked = { consumer: 'fenced', leaseMs: 15_000, holding: [] }
    await log.subscribe({ consumer: asked.consumer, types: null, startAt: 'now' })
    const before = await log.lease({ ...asked, relay: 'before' })
    await log.append([eventOf()])
    const slots = before.taken
    const { next } = await log.read({ consumer: 'fenced', types: null, slots, limit: 10 })
    // Simulates a crash that lost the lease.
    await database.query('truncate oncekey.life')
    await database.query('delete from oncekey.relays')
    await database.query(
      "update oncekey.cursors set epoch = epoch - 1, relay = null where consumer = 'fenced'",
    )
    const after = await log.lease({ ...asked, relay: 'after' })
    const epochs = (taken: typeof slots) => taken.map(({ epoch }) => Number.parseInt(epoch, 10))
    expect(epochs(after.taken)).toEqual(epochs(slots))
    const all = slots.map(({ slot }) => slot)
    const moves = slots.map((slot, at) => ({
      ...slot,
      position: next[at]?.position ?? '',
      calm: false,
      failed: [],
    }))
    expect((await log.advance({ consumer: 'fenced', slots: moves })).lost.length).toBe(64)
    expect(await log.settle({ consumer: 'fenced', slots, settled: [] })).toEqual({ lost: all })
    expect(
      await log.suspect({ consumer: 'fenced', slot: slots[0] as (typeof slots)[0], eventId: 'e' }),
    ).toBe('lost')
    await log.release({ consumer: 'fenced', relay: 'before', slots, leaving: false })
    const holding = after.taken
    expect((await log.lease({ ...asked, relay: 'after', holding })).lost).toEqual([])
    const reading = log.read({ consumer: 'fenced', types: null, slots, limit: 10 })
    await expect(reading).rejects.toMatchObject({ code: 'log-restored' })
  })
})

describe('events outside of requests', () => {
  const database = testDatabase()

  test('are committed with the writes of their transaction or not at all', async () => {
    const pool = database.pool()
    const failing = transact(pool, async (tx, emit) => {
      await tx.query("insert into orders values ('undone')")
      emit({ type: 'order.created', subject: 'undone' })
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    const result = await transact(pool, async (tx, emit) => {
      await tx.query("insert into orders values ('kept')")
      emit({ type: 'order.created', subject: 'kept' })
      return 7
    })
    expect(result).toBe(7)
    expect(await database.hasOrder('undone')).toBe(false)
    expect(await database.hasOrder('kept')).toBe(true)
    expect(await database.query('select subject from oncekey.outbox')).toEqual([
      { subject: 'kept' },
    ])
    expect(pool.idleCount).toBe(pool.totalCount)
  })
})

describe('options', () => {
  test.each([
    [{ retentionMs: 7 * 86_400_000 }, 'six days'],
    [{ inboxRetentionMs: 86_400_000 }, 'less than abandonedAfterMs'],
    [{ maxTransactions: 0 }, 'maxTransactions'],
    [{ maxTransactions: 11 }, 'the pool has 10'],
    [{ timeoutMs: 1.5 }, 'timeoutMs'],
    [{ schema: 'Bad Name' }, 'schema'],
  ])('that are invalid are refused at construction: %o', (options, message) => {
    const client = { connect() {}, totalCount: 0, options: {} } as never
    expect(() => postgresLog({ client, ...options })).toThrow(OptionsError)
    expect(() => postgresLog({ client, ...options })).toThrow(message)
  })
})
