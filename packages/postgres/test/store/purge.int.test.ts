import { purge } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, responseOf, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

describe('purge', () => {
  const database = testDatabase()
  const finish = async (ageMs: number, options: { body?: null } = {}) => {
    const claim = claimOf()
    const store = storeOn(database.pool())
    const attempt = attemptOf(await store.begin(claim))
    const response = responseOf('done', { seal: 'key-1', ...options })
    await attempt.complete({ ...kept(''), response })
    await database.query(
      `update oncekey.records set completed_at = now() - $2 * interval '1 ms' where key = $1`,
      [claim.key, ageMs],
    )
    const ask = async (): Promise<string> => {
      const decision = await store.begin(again(claim))
      if (decision.kind === 'run') await decision.attempt.release()
      return said(decision)
    }
    return { ask, claim }
  }

  test('deletes results after a day and keys after a week, by the database’s clock', async () => {
    const pool = database.pool()
    const fresh = await finish(DAY_MS - HOUR_MS)
    const old = await finish(DAY_MS + HOUR_MS)
    const ancient = await finish(7 * DAY_MS + HOUR_MS)
    const neverKept = await finish(DAY_MS + HOUR_MS, { body: null })
    expect(await purge(pool)).toEqual({ results: 2, keys: 1, more: false })
    expect(await fresh.ask()).toBe('replay 201 done')
    expect(await old.ask()).toBe('result-gone')
    expect(await neverKept.ask()).toBe('result-gone')
    expect(await ancient.ask()).toBe('run')
    expect(await purge(pool)).toEqual({ results: 0, keys: 0, more: false })
    await database.query('delete from oncekey.records')
  })

  test('keeps only the status of a response', async () => {
    const { claim } = await finish(2 * DAY_MS)
    await purge(database.pool())
    expect(
      await database.query(
        'select status, headers, body, seal, fingerprint from oncekey.records where key = $1',
        [claim.key],
      ),
    ).toEqual([
      { status: 201, headers: null, body: null, seal: null, fingerprint: claim.fingerprints[0] },
    ])
    await database.query('delete from oncekey.records')
  })

  test('works in batches, the oldest first, and returns whether there is more', async () => {
    const records = await Promise.all([10, 9, 8].map((hours) => finish(DAY_MS + hours * HOUR_MS)))
    const pool = database.pool()
    expect(await purge(pool, { limit: 2 })).toEqual({ results: 2, keys: 0, more: true })
    expect(await Promise.all(records.map(({ ask }) => ask()))).toEqual([
      'result-gone',
      'result-gone',
      'replay 201 done',
    ])
    expect(await purge(pool, { limit: 2 })).toEqual({ results: 1, keys: 0, more: false })
    await database.query('delete from oncekey.records')
  })

  test('does not wait for locks: a locked record is left for later', async () => {
    const [locked, other] = [await finish(2 * DAY_MS), await finish(2 * DAY_MS)]
    const pool = database.pool()
    const client = await pool.connect()
    await client.query('begin')
    await client.query('select from oncekey.records where key = $1 for update', [locked.claim.key])
    expect(await purge(pool)).toEqual({ results: 1, keys: 0, more: false })
    await client.query('rollback')
    client.release()
    expect(await other.ask()).toBe('result-gone')
    expect(await purge(pool)).toEqual({ results: 1, keys: 0, more: false })
    await database.query('delete from oncekey.records')
  })

  test('in ten processes beside live traffic deletes each record once and disturbs no request', async () => {
    await database.query(
      `insert into oncekey.records (namespace, scope, key, fingerprint, status, headers, body, completed_at)
       select 'old', 's', i::text, 'f', 200, '[]', 'x', now() - interval '2 days'
         from generate_series(1, 3000) i`,
    )
    const store = storeOn(database.pool({ max: 10 }))
    let purging = true
    const traffic = async (): Promise<number> => {
      let served = 0
      while (purging) {
        const claim = claimOf()
        expect(await attemptOf(await store.begin(claim)).complete(kept('done'))).toBe('stored')
        expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
        served += 1
      }
      return served
    }
    const serving = Promise.all([traffic(), traffic()])
    const purger = async (): Promise<number> => {
      const pool = database.pool({ max: 1 })
      let results = 0
      for (;;) {
        const purged = await purge(pool, { limit: 100 })
        results += purged.results
        if (!purged.more) return results
      }
    }
    const counts = await Promise.all(Array.from({ length: 10 }, purger))
    purging = false
    expect(counts.reduce((sum, count) => sum + count)).toBe(3_000)
    expect((await serving).every((served) => served > 0)).toBe(true)
    await database.query('delete from oncekey.records')
  })

  test('uses its indexes', async () => {
    const { purgeKeys, purgeResults } = await import('../../src/store/statements/retention.ts')
    await database.query(
      `insert into oncekey.records (namespace, scope, key, fingerprint, status, headers, body)
       select 'many', 's', i::text, 'f', 200, '[]', case when i % 2 = 0 then 'x'::bytea end
         from generate_series(1, 20000) i`,
    )
    await database.query('analyze oncekey.records')
    const planOf = async ({ text, values }: ReturnType<ReturnType<typeof purgeKeys>>) =>
      JSON.stringify(await database.query(`explain ${text}`, [...values]))
    expect(await planOf(purgeResults('oncekey')(DAY_MS, 1_000))).toContain('records_with_result')
    expect(await planOf(purgeKeys('oncekey')(DAY_MS, 1_000))).toContain('records_without_result')
  })

  test('refuses a keyRetentionMs shorter than the one of results', async () => {
    const pool = database.pool()
    await expect(
      purge(pool, { resultRetentionMs: 2 * DAY_MS, keyRetentionMs: DAY_MS }),
    ).rejects.toThrow(/Write at least resultRetentionMs/)
    await expect(purge(pool, { limit: 0 })).rejects.toThrow(/limit/)
    await expect(purge(pool, { resultRetentionMs: -1 })).rejects.toThrow(/resultRetentionMs/)
    // This retention is longer than the default for keys. The retention of keys is then raised to
    // it.
    await purge(pool, { resultRetentionMs: 30 * DAY_MS })
  })

  test('reports a missing schema', async () => {
    await expect(purge(database.pool(), { schema: 'nowhere' })).rejects.toMatchObject({
      code: 'store-not-migrated',
    })
  })
})
