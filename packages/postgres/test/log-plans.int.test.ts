import { append, postgresLog } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
import { eventOf } from './claims.ts'
import { testDatabase } from './test-database.ts'

describe('a poll', () => {
  const database = testDatabase()

  // The planner once went through the whole primary key for the events of transactions in progress.
  test('looks at a handful of rows, however long the log is and whoever is writing', async () => {
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
      // Every session of the log's pool: what each has counted is told when it is idle.
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
