import type { Attempt } from '@oncekey/core'
import { purge } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../../database/claims.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'

const DAY_MS = 86_400_000

describe('purge in lease mode', () => {
  const database = testDatabase()
  const age = (key: string, ms: number) =>
    database.query(
      `with old as (
         update oncekey.attempts set until = until - $2 * interval '1 ms',
             claimed_at = claimed_at - $2 * interval '1 ms' where key = $1 returning token
       ) update oncekey.leases set until = until - $2 * interval '1 ms',
           renewed_first_at = renewed_first_at - $2 * interval '1 ms'
         from old where old.token = leases.token`,
      [key, ms],
    )

  test('forgets an attempt whose outcome was unknown for longer than keyRetentionMs', async () => {
    const pool = database.pool()
    const store = storeOn(pool, { mode: 'lease' })
    const [fresh, old, ancient] = [claimOf(), claimOf(), claimOf()]
    for (const claim of [fresh, old, ancient]) await attemptOf(await store.begin(claim)).abandon()
    await age(old.key, 6 * DAY_MS)
    await age(ancient.key, 8 * DAY_MS)
    expect(await purge(pool)).toEqual({ results: 0, keys: 1, more: false })
    const ask = async (claim: typeof fresh) => {
      const decision = await store.begin(again(claim, { whenUnknown: 'hold' }))
      if (decision.kind === 'run') await decision.attempt.release()
      return said(decision)
    }
    expect(await Promise.all([fresh, old, ancient].map(ask))).toEqual(['unknown', 'unknown', 'run'])
  })

  test('keeps an attempt that is renewed or whose transaction is open, however old it is', async () => {
    const pool = database.pool()
    const store = storeOn(pool, { mode: 'lease' })
    const [renewed, open] = [claimOf(), claimOf()]
    const attempts = [attemptOf(await store.begin(renewed)), attemptOf(await store.begin(open))]
    await age(renewed.key, 9 * DAY_MS)
    await age(open.key, 9 * DAY_MS)
    expect(await attempts[0]?.renew(60_000)).toBe('held')
    await attempts[1]?.transaction()
    expect(await purge(pool)).toEqual({ results: 0, keys: 0, more: false })
    for (const attempt of attempts) expect(await attempt.complete(kept('done'))).toBe('stored')
  })

  test('deletes the lease of a dead process, and no lease that is held', async () => {
    const pool = database.pool()
    const store = storeOn(pool, { mode: 'lease' })
    const [dead, live] = [claimOf(), claimOf()]
    const attempts: Attempt<PoolClient>[] = []
    for (const claim of [dead, live]) {
      const attempt = attemptOf(await store.begin(claim))
      expect(await attempt.renew(60_000)).toBe('held')
      attempts.push(attempt)
    }
    await age(dead.key, 9 * DAY_MS)
    await database.query(
      "update oncekey.leases set renewed_first_at = now() - interval '9 days' where token = $1",
      [live.token],
    )
    await purge(pool)
    const held = 'select token from oncekey.leases where until is not null'
    expect(await database.query(held)).toEqual([{ token: live.token }])
    for (const attempt of attempts) await attempt.release()
  })

  test('finds old attempts and leases through its indexes, a batch at a time', async () => {
    const { purgeAttempts, purgeLeases } = await import(
      '../../../src/store/statements/retention.ts'
    )
    await database.query(
      `insert into oncekey.attempts (namespace, scope, key, fingerprint, number, until, claimed_at)
       select 'many', 's', i::text, 'f', 1, now() - interval '8 days' + i * interval '1 s',
           now() - interval '8 days' + i * interval '1 s'
         from generate_series(1, 20000) i`,
    )
    await database.query('analyze oncekey.attempts')
    const planOf = async ({ text, values }: ReturnType<ReturnType<typeof purgeAttempts>>) =>
      JSON.stringify(await database.query(`explain ${text}`, [...values]))
    expect(await planOf(purgeAttempts('oncekey')(7 * DAY_MS, 100))).toContain('attempts_claimed_at')
    await database.query('set enable_seqscan = off')
    expect(await planOf(purgeLeases('oncekey')(7 * DAY_MS, 100))).toContain('leases_renewed_first')
    await database.query('reset enable_seqscan')
    const pool = database.pool()
    expect(await purge(pool, { limit: 5_000 })).toEqual({ results: 0, keys: 5_000, more: true })
    const left = await database.query(
      "select min(key::integer)::integer as oldest from oncekey.attempts where namespace = 'many'",
    )
    expect(left).toEqual([{ oldest: 5_001 }])
    await database.query('delete from oncekey.attempts')
  })

  // If renewals wrote to an index, each would cost a row version, an index entry and a vacuum,
  // every third of a lease.
  test('uses no index on the column that renewals write, so renewals stay in their page (HOT)', async () => {
    expect(await hotOf20Renewals()).toBeGreaterThan(15)
    await database.query('create index naive on oncekey.leases (until)')
    expect(await hotOf20Renewals()).toBe(0)
  })

  async function hotOf20Renewals(): Promise<number> {
    const pool = database.pool({ max: 3 })
    const attempt = attemptOf(await storeOn(pool, { mode: 'lease' }).begin(claimOf()))
    await attempt.renew(60_000)
    await pool.query('select pg_stat_force_next_flush()')
    const before = await renewals()
    for (let i = 0; i < 20; i += 1) expect(await attempt.renew(60_000)).toBe('held')
    await attempt.release()
    await pool.end()
    const after = await waitFor(
      async () => {
        const now = await renewals()
        return now.updated >= before.updated + 20 && now
      },
      { what: 'the server to have counted' },
    )
    return after.hot - before.hot
  }

  async function renewals(): Promise<{ updated: number; hot: number }> {
    const [row] = await database.query<{ updated: number; hot: number }>(
      `select n_tup_upd::integer as updated, n_tup_hot_upd::integer as hot
         from pg_stat_user_tables where relid = 'oncekey.leases'::regclass`,
    )
    return row ?? { updated: 0, hot: 0 }
  }
})
