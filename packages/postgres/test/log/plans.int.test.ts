import { append, postgresLog } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
import { eventOf } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

describe('a poll', () => {
  const database = testDatabase()

  // A bug: the planner read the whole primary key to find the events of transactions in progress.
  test('looks at a handful of rows, however long the log is and however many write', async () => {
    const pool = database.pool({ max: 4 })
    const log = postgresLog({ client: pool })
    await database.query(
      `insert into oncekey.outbox (slot, id, type, source, ordering_key, data, headers, occurred_at)
         select g % 64, gen_random_uuid(), 't', '/', g::text, '1', '{}', now()
           from generate_series(1, 20000) g`,
    )
    const asked = { consumer: 'reader', relay: 'r', leaseMs: 60_000, holding: [] }
    await log.subscribe({ consumer: 'reader', types: null, startAt: 'now' })
    const writer = await pool.connect()
    await writer.query('begin')
    await append(writer, { type: 'open' })
    let { taken: slots }: { taken: readonly { slot: number; position: string }[] } =
      await log.lease(asked)
    const read = async (): Promise<number> => {
      const page = await log.read({ consumer: 'reader', types: null, slots, limit: 500 })
      slots = page.next
      return page.events.length
    }
    await log.append([eventOf()])
    for (let more = 0; more < 4; more += 1) await read()
    const looked = async (): Promise<number> => {
      await database.query('select pg_stat_force_next_flush()')
      const [row] = await database.query<{ count: string }>(
        `select sum(idx_tup_fetch + coalesce(seq_tup_read, 0)) as count from pg_stat_user_tables
           where relname like 'outbox%'`,
      )
      return Number(row?.count)
    }
    const flushed = async (): Promise<void> => {
      // Every session of the log's pool must become idle, because only then does it report its
      // counts.
      await Promise.all(
        Array.from({ length: 3 }, () => pool.query('select pg_stat_force_next_flush()')),
      )
    }
    await flushed()
    const before = await looked()
    for (let more = 0; more < 20; more += 1) await read()
    await flushed()
    expect((await looked()) - before).toBeLessThan(200)
    await writer.query('commit')
    writer.release()
    expect(await read()).toBe(1)
  })
})

describe('a transaction of 60,000 events that commits late', () => {
  const database = testDatabase()

  /** How many index entries were read, whether their rows were visible or not. */
  async function looked(): Promise<number> {
    const [row] = await database.query<{ count: string }>(
      `select pg_stat_force_next_flush(), sum(idx_tup_read) as count from pg_stat_user_indexes
         where relname like 'outbox%'`,
    )
    return Number(row?.count)
  }

  // A bug: each poll read all rows of the transaction while it was open, and each page did so after
  // its commit.
  test('is not read while it is open, and read once after it has committed', async () => {
    const pool = database.pool({ max: 1 })
    const writers = database.pool({ max: 1 })
    const log = postgresLog({ client: pool })
    const asked = { consumer: 'reader', relay: 'r', leaseMs: 60_000, holding: [] }
    await log.subscribe({ consumer: 'reader', types: null, startAt: 'now' })
    let { taken: slots }: { taken: readonly { slot: number; position: string }[] } =
      await log.lease(asked)
    const subjects: (string | null)[] = []
    const read = async (): Promise<boolean> => {
      const page = await log.read({ consumer: 'reader', types: null, slots, limit: 500 })
      slots = page.next
      subjects.push(...page.events.map(({ subject }) => subject))
      return page.more
    }
    const flush = () => pool.query('select pg_stat_force_next_flush()')

    const writer = await writers.connect()
    await writer.query('begin')
    await writer.query(
      `insert into oncekey.outbox (slot, id, type, source, subject, ordering_key, data, headers, occurred_at)
         select g % 64, gen_random_uuid(), 't', '/', g::text, g::text, '1', '{}', now()
           from generate_series(1, 60000) g`,
    )
    await log.append([eventOf({ subject: 'meanwhile' })])
    while (await read());
    await flush()
    const before = await looked()
    for (let polls = 0; polls < 20; polls += 1) await read()
    await flush()
    const open = await looked()
    expect(open - before).toBeLessThan(1_000)

    await log.append([eventOf({ subject: 'before it committed' })])
    while (await read());
    await writer.query('commit')
    writer.release()
    await log.append([eventOf({ subject: 'behind it' })])
    const beforePages = await looked()
    while (await read());
    await flush()
    const pages = Math.ceil(60_000 / 500)
    // A page reads as many entries as one reading may look at, plus those of the page itself.
    expect((await looked()) - beforePages).toBeLessThan(60_000 * 3 + pages * (20_000 + 5_000))
    const own = ['meanwhile', 'before it committed', 'behind it']
    expect(subjects.filter((subject) => own.includes(subject ?? ''))).toEqual(own)
    const late = subjects.filter((subject) => !own.includes(subject ?? '')).map(Number)
    expect(late).toEqual(Array.from({ length: 60_000 }, (_, at) => at + 1))
  })
})
