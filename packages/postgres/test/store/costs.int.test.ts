import type { Attempt, Decision } from '@oncekey/core'
import {
  countStatements,
  durable,
  type PostgresServer,
  resetStatements,
  startPostgres,
  startProxy,
  type TcpProxy,
  waitFor,
} from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused } from '../database/claims.ts'
import { storeOn, type TestDatabase, testDatabase, wires } from '../database/test-database.ts'

// A separate server, because its counters are for the whole server. It flushes only for commits.
let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres({ settings: { ...durable, wal_writer_delay: '10s' } })
})
afterAll(() => server.stop())

const insert = 'insert into orders values (gen_random_uuid())'
const claimed = expect.stringContaining('.claim_3(')
const completed = expect.stringContaining('.complete_4(')
const rolledBack = 'ROLLBACK'
const begun = expect.stringMatching(/^BEGIN/)
const handled = expect.stringMatching(/^insert into orders/)

describe.each(wires)('costs, $wire', ({ pipeline, prepare }) => {
  const database = testDatabase(() => server.url)

  test('a bare transaction takes 3 round trips and one flush', async () => {
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      const client = await pool.connect()
      await client.query('BEGIN')
      await client.query(insert)
      await client.query('COMMIT')
      client.release()
    })
    expect(costs).toEqual({ statements: [begun, 'COMMIT', handled], roundTrips: 3, flushes: 1 })
  })

  test('a fresh request takes two statements more than its transaction and one flush', async () => {
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      const attempt = attemptOf(await storeOn(pool, { prepare }).begin(claimOf()))
      await write(attempt)
      await attempt.complete(kept('done'))
    })
    expect(costs).toEqual({
      statements: [begun, 'COMMIT', handled, claimed, completed],
      roundTrips: 3,
      flushes: 1,
    })
  })

  test('events cost nothing more', async () => {
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      const attempt = attemptOf(await storeOn(pool, { prepare }).begin(claimOf()))
      await write(attempt)
      await attempt.complete(kept('done', [eventOf(), eventOf(), eventOf()]))
    })
    expect(costs).toEqual({
      statements: [begun, 'COMMIT', handled, claimed, completed],
      roundTrips: 3,
      flushes: 1,
    })
  })

  test('a refusal undoes and stores in one round trip, with one flush', async () => {
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      const attempt = attemptOf(await storeOn(pool, { prepare }).begin(claimOf()))
      await write(attempt)
      await attempt.complete(refused('no'))
    })
    expect(costs).toEqual({
      statements: [begun, rolledBack, handled, claimed, expect.stringContaining('.refuse_5(')],
      roundTrips: 3,
      flushes: 1,
    })
  })

  test('a replay takes one statement, and a rollback that the answer does not wait for', async () => {
    const claim = claimOf()
    const finished = await storeOn(database.pool()).begin(claim)
    await attemptOf(finished).complete(kept('done'))
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      await expectKind('replay', storeOn(pool, { prepare }).begin(again(claim)))
    })
    expect(costs).toEqual({
      statements: [begun, rolledBack, claimed],
      roundTrips: 2,
      flushes: 0,
    })
  })

  test('a key that runs elsewhere costs as much as a replay', async () => {
    const claim = claimOf()
    const running = attemptOf(await storeOn(database.pool()).begin(claim))
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      await expectKind('in-progress', storeOn(pool, { prepare }).begin(again(claim)))
    })
    await running.release()
    expect(costs).toEqual({
      statements: [begun, rolledBack, claimed],
      roundTrips: 2,
      flushes: 0,
    })
  })

  test('a key that runs in this process costs nothing', async () => {
    const claim = claimOf()
    const store = storeOn(database.pool(), { prepare })
    const running = attemptOf(await store.begin(claim))
    const costs = await costsOf(database, { pipeline }, async () => {
      await expectKind('in-progress', store.begin(again(claim)))
      await expectKind('mismatch', store.begin(again(claim, { fingerprints: ['json1:other'] })))
    })
    await running.release()
    expect(costs).toEqual({ statements: [], roundTrips: 0, flushes: 0 })
  })

  test('an abandoned attempt costs no flush', async () => {
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      const attempt = attemptOf(await storeOn(pool, { prepare }).begin(claimOf()))
      await attempt.abandon()
    })
    expect(costs).toEqual({
      statements: [begun, rolledBack, claimed],
      roundTrips: 2,
      flushes: 0,
    })
  })

  test('a route without a key that uses no transaction and emits nothing costs nothing', async () => {
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      const attempt = await storeOn(pool, { prepare }).open({ leaseMs: 1_000 })
      await attempt.complete(kept('done'))
    })
    expect(costs).toEqual({ statements: [], roundTrips: 0, flushes: 0 })
  })

  test('a route without a key that only emits takes one statement', async () => {
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      const attempt = await storeOn(pool, { prepare }).open({ leaseMs: 1_000 })
      await attempt.complete(kept('done', [eventOf(), eventOf()]))
    })
    expect(costs).toEqual({
      statements: [expect.stringContaining('.append_events_2(')],
      roundTrips: 1,
      flushes: 1,
    })
  })

  test('a route without a key that writes and emits costs as much as a fresh request', async () => {
    const costs = await costsOf(database, { pipeline }, async (pool) => {
      const attempt = await storeOn(pool, { prepare }).open({ leaseMs: 1_000 })
      await write(attempt)
      await attempt.complete(kept('done', [eventOf()]))
    })
    expect(costs).toEqual({
      statements: [
        begun,
        'COMMIT',
        handled,
        expect.stringContaining('.end_attempt_3('),
        expect.stringContaining('.start_attempt('),
      ],
      roundTrips: 3,
      flushes: 1,
    })
  })
})

interface Costs {
  /** In alphabetical order, one entry for each execution. */
  readonly statements: string[]
  readonly roundTrips: number
  readonly flushes: number
}

/** The cost of `work` on a pool with one connection, counted by the server and on the wire. */
async function costsOf(
  database: TestDatabase,
  options: { pipeline: boolean },
  work: (pool: Pool) => Promise<void>,
): Promise<Costs> {
  const proxy = await startProxy(server.port)
  const pool = database.pool({
    ...options,
    connectionString: proxy.through(database.url()),
    max: 1,
  })
  try {
    const before = await flushes(pool)
    // A delay, so that statements sent together arrive together.
    proxy.latency(3)
    await resetStatements(database.url())
    proxy.resetCounts()
    await work(pool)
    await waitFor(() => pool.idleCount === 1, { what: 'the connection to be given back' })
    const { roundTrips } = proxy.counts()
    const counted = await countStatements(database.url())
    return {
      statements: counted.flatMap(({ query, calls }) =>
        Array.from({ length: calls }, () => query.trim()),
      ),
      roundTrips,
      flushes: (await flushes(pool)) - before,
    }
  } finally {
    await end(pool, proxy)
  }
}

/** Flushes so far by the one backend of this pool. */
async function flushes(pool: Pool): Promise<number> {
  await pool.query('select pg_stat_force_next_flush()')
  const { rows } = await pool.query<{ fsyncs: string }>(
    `select coalesce(sum(fsyncs), 0) as fsyncs
       from pg_stat_get_backend_io(pg_backend_pid()) where object = 'wal'`,
  )
  return Number(rows[0]?.fsyncs)
}

async function write(attempt: Attempt<Pool | { query(text: string): unknown }>): Promise<void> {
  await (await attempt.transaction()).query(insert)
}

async function expectKind(kind: string, decision: Promise<Decision>): Promise<void> {
  expect((await decision).kind).toBe(kind)
}

async function end(pool: Pool, proxy: TcpProxy): Promise<void> {
  await pool.end()
  await proxy.stop()
}
