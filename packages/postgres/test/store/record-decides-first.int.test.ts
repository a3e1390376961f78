import { randomUUID } from 'node:crypto'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

const database = testDatabase()

describe('1,000 retries of a finished key, fifty at a time', () => {
  test('from five processes get 1,000 replays', async () => {
    const stores = Array.from({ length: 5 }, () => storeOn(database.pool({ max: 10 })))
    const claim = claimOf()
    await attemptOf(await storeOn(database.pool()).begin(claim)).complete(kept('done'))
    const answers: Record<string, number> = {}
    for (let wave = 0; wave < 20; wave += 1) {
      const retries = Array.from({ length: 50 }, (_, index) =>
        stores[index % stores.length]?.begin(again(claim)),
      )
      for (const decision of await Promise.all(retries)) {
        const answer = decision ? said(decision) : 'none'
        answers[answer] = (answers[answer] ?? 0) + 1
      }
    }
    expect(answers).toEqual({ 'replay 201 done': 1_000 })
  })

  test('would mostly get in-progress if the lock decided first', async () => {
    const pool = database.pool({ max: 20 })
    const lockFirst = async (): Promise<boolean> => {
      const client = await pool.connect()
      await client.query('begin')
      const { rows } = await client.query('select pg_try_advisory_xact_lock(4711) as won')
      await client.query('select 1')
      await client.query('commit')
      client.release()
      return rows[0].won
    }
    const won = await Promise.all(Array.from({ length: 1_000 }, lockFirst))
    expect(won.filter((each) => !each).length).toBeGreaterThan(0)
  })

  test('in one process cost a few statements', async () => {
    const pool = database.pool({ max: 10 })
    const store = storeOn(pool)
    const claim = claimOf()
    await attemptOf(await store.begin(claim)).complete(kept('done'))
    let asked = 0
    pool.on('acquire', () => {
      asked += 1
    })
    const retries = Array.from({ length: 1_000 }, () => store.begin(again(claim)))
    for (const decision of await Promise.all(retries)) {
      expect(said(decision)).toBe('replay 201 done')
    }
    expect(asked).toBeLessThan(10)
  })
})

test('neither a claim nor a replay takes a transaction id', async () => {
  const store = storeOn(database.pool())
  const claim = claimOf()
  const attempt = attemptOf(await store.begin(claim))
  const xid = 'select pg_current_xact_id_if_assigned() as xid'
  expect((await (await attempt.transaction()).query(xid)).rows).toEqual([{ xid: null }])
  await attempt.complete(kept('done'))

  const client = await database.pool().connect()
  await client.query('begin')
  const { rows } = await client.query(
    "select oncekey.claim_3(1, $1, $2, $3, null, 60000, true)::json->>'state' as state",
    [claim.namespace, claim.scope, claim.key],
  )
  expect(rows).toEqual([{ state: 'finished' }])
  expect((await client.query(xid)).rows).toEqual([{ xid: null }])
  await client.query('rollback')
  client.release()
})

describe('a claim that waited for the commit of the winner', () => {
  test('reads the record in a new snapshot', async () => {
    const { state } = await afterWaiting('oncekey')
    expect(state).toBe('finished')
  })

  test('would not see it in a STABLE function, which reads in the snapshot it waited with', async () => {
    await database.query('create schema stable')
    const [row] = await database.query<{ text: string }>(
      "select pg_get_functiondef('oncekey.wait_for_end'::regproc) as text",
    )
    const text = row?.text ?? ''
    // VOLATILE is the default, so the function's text does not contain it.
    expect(text).not.toContain('STABLE')
    await database.query(
      text.replace('FUNCTION oncekey.', 'FUNCTION stable.').replace('LANGUAGE', 'STABLE LANGUAGE'),
    )
    const { state } = await afterWaiting('stable')
    expect(state).toBe('outdated')
  })

  async function afterWaiting(schema: string): Promise<{ state: string }> {
    const key = randomUUID()
    const winner = await database.pool().connect()
    await winner.query('begin')
    await winner.query('select pg_advisory_xact_lock(42)')
    const answer = database.query<{ answer: string }>(
      `select ${schema}.wait_for_end(42, 'n', 's', $1, 20000) as answer`,
      [key],
    )
    await waitFor(async () => (await database.locks({ waitedFor: true })) === 1, {
      what: 'the other claim to wait',
    })
    await winner.query(
      `insert into oncekey.records (namespace, scope, key, fingerprint, status, headers, body)
       values ('n', 's', $1, 'f', 200, '[]', '')`,
      [key],
    )
    await winner.query('commit')
    winner.release()
    const [row] = await answer
    return JSON.parse(row?.answer ?? '')
  }
})

describe('a plan made while the table was one page long', () => {
  test('still finds the record by its key when the table has grown', async () => {
    expect(await scansAfterGrowth('oncekey')).toBe(0)
  })

  test('would read the whole table if sequential scans were allowed', async () => {
    await database.query('create schema plain')
    const [row] = await database.query<{ text: string }>(
      "select pg_get_functiondef('oncekey.claim_3'::regproc) as text",
    )
    const text = row?.text ?? ''
    expect(text).toContain('enable_seqscan')
    await database.query(
      text
        .replace('FUNCTION oncekey.', 'FUNCTION plain.')
        .replace(/SET enable_seqscan TO '?off'?/, ''),
    )
    expect(await scansAfterGrowth('plain')).toBeGreaterThan(0)
  })

  async function scansAfterGrowth(schema: string): Promise<number> {
    await database.query('alter table oncekey.records set (autovacuum_enabled = off)')
    await database.query('truncate oncekey.records')
    await database.query(
      `insert into oncekey.records (namespace, scope, key, fingerprint, status)
       values ('growing', 's', '0', 'f', 200)`,
    )
    await database.query('vacuum (analyze) oncekey.records')
    const pool = database.pool({ max: 1 })
    const claims = (from: number) =>
      pool.query(
        `select ${schema}.claim_3(i, 'growing', 's', i::text, null, 0, true)
           from generate_series($1::int, $1::int + 9) i`,
        [from],
      )
    const scans = async (): Promise<number> => {
      await pool.query('select pg_stat_force_next_flush()')
      const [row] = await database.query<{ scans: string }>(
        "select seq_scan as scans from pg_stat_user_tables where relname = 'records'",
      )
      return Number(row?.scans)
    }
    await claims(1)
    await database.query(
      `insert into oncekey.records (namespace, scope, key, fingerprint, status)
       select 'growing', 's', i::text, 'f', 200 from generate_series(100, 5000) i`,
    )
    const before = await scans()
    await claims(1_000_000)
    return (await scans()) - before
  }
})
