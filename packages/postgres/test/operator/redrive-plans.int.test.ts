import { postgresLog, postgresRedrives } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const LETTERS = 60_000
/** How many rows one portion looks at. */
const LOOKED_AT = 5_000

describe.each([true, false])('a portion beside many dead letters, analyzed: %s', (isAnalyzed) => {
  const database = testDatabase()

  test('looks at a bounded number of rows, also where few match or ids are given', {
    timeout: 240_000,
  }, async () => {
    const pool = database.pool({ max: 1 })
    const redrives = postgresLog({ client: pool }).deadLetters.redrives
    if (redrives === undefined) throw new Error('The log of Postgres keeps redrives.')
    await pool.query("insert into oncekey.consumers (name) values ('big')")
    await pool.query(
      `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key,
          data, headers, occurred_at, state, reason, attempts, starts, due_at, dead_at)
        select 'big', 0, g, g::text, case when g > ${LETTERS - 5} then 'rare' else 'common' end, '/',
            g::text, '1', '{}', now(), 'dead', 'permanent', 1, 1, now(),
            now() - interval '1 day' + g * interval '1 millisecond'
          from generate_series(1, ${LETTERS}) g`,
    )
    if (isAnalyzed) await pool.query('analyze oncekey.deliveries, oncekey.redrives')
    const read = async () => {
      const { rows } = await pool.query<{ rows: string; scans: string }>(
        `select pg_stat_force_next_flush(), seq_scan as scans,
            seq_tup_read + coalesce(idx_tup_fetch, 0) as rows
          from pg_stat_user_tables where relname = 'deliveries'`,
      )
      // The server reports the counts of a statement only with the next one.
      return { rows: Number(rows[0]?.rows), scans: Number(rows[0]?.scans) }
    }
    const cost = async (work: () => Promise<unknown>) => {
      await read()
      const before = await read()
      await work()
      await read()
      const after = await read()
      return { rows: after.rows - before.rows, scans: after.scans - before.scans }
    }
    const pace = { ratePerSecond: 1_000_000 }

    const rare = await redrives.start({ type: 'rare' }, pace)
    const portions: { rows: number; scans: number }[] = []
    let more = true
    while (more) {
      const portion = async () => {
        more = (await redrives.carry()).nextInMs !== null
      }
      portions.push(await cost(portion))
    }
    expect(portions.length).toBeGreaterThanOrEqual(LETTERS / LOOKED_AT)
    for (const { rows, scans } of portions) {
      expect(rows).toBeLessThan(2 * LOOKED_AT)
      expect(scans).toBe(0)
    }
    const records = postgresRedrives({ client: pool })
    expect(await records.get(rare)).toMatchObject({ redriven: 5, matched: 5, state: 'done' })

    const { rows } = await pool.query<{ id: string }>(
      `select id from oncekey.deliveries where seq in (7, 30000)`,
    )
    await redrives.start({ ids: rows.map(({ id }) => id) }, pace)
    const named = await cost(() => redrives.carry())
    expect(named.scans).toBe(0)
    expect(named.rows).toBeLessThan(100)
  })
})
