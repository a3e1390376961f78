import type { Attempt } from '@oncekey/core'
import {
  countStatements,
  durable,
  type PostgresServer,
  resetStatements,
  startPostgres,
  startProxy,
  type TcpProxy,
} from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused } from '../../database/claims.ts'
import { storeOn, testDatabase, wires } from '../../database/test-database.ts'

// A separate server, because its counters are for the whole server. It flushes only for commits.
let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres({ settings: { ...durable, wal_writer_delay: '10s' } })
})
afterAll(() => server.stop())

const insert = 'insert into orders values (gen_random_uuid())'
const begun = expect.stringMatching(/^BEGIN/)
const handled = expect.stringMatching(/^insert into orders/)
const calls = (name: string) => expect.stringContaining(`.${name}(`)

describe.each(wires)('costs of lease mode, $wire', ({ pipeline, prepare }) => {
  const database = testDatabase(() => server.url)
  type Store = ReturnType<typeof storeOn>
  const proxies: TcpProxy[] = []
  afterAll(() => Promise.all(proxies.map((proxy) => proxy.stop())))

  test('a fresh request without a transaction takes a claim and a completion, a round trip and a flush each', async () => {
    const costs = await costsOf(async (store) => {
      const attempt = attemptOf(await store.begin(claimOf()))
      await attempt.complete(kept('done', [eventOf(), eventOf()]))
    })
    expect(costs).toEqual({
      statements: [calls('claim_lease_7'), calls('complete_attempt_5')],
      roundTrips: 2,
      flushes: 2,
    })
  })

  test('a fresh request with a transaction adds only the claim to the bare transaction', async () => {
    const costs = await costsOf(async (store) => {
      const attempt = attemptOf(await store.begin(claimOf()))
      await write(attempt)
      await attempt.complete(kept('done', [eventOf()]))
    })
    expect(costs).toEqual({
      statements: [
        begun,
        'COMMIT',
        handled,
        calls('claim_lease_7'),
        calls('complete_attempt_5'),
        calls('open_attempt'),
      ],
      roundTrips: 4,
      flushes: 2,
    })
  })

  test('a refusal undoes and stores in one round trip', async () => {
    const costs = await costsOf(async (store) => {
      const attempt = attemptOf(await store.begin(claimOf()))
      await write(attempt)
      await attempt.complete(refused('no'))
    })
    expect(costs).toEqual({
      statements: [
        begun,
        'ROLLBACK',
        handled,
        calls('claim_lease_7'),
        calls('complete_attempt_5'),
        calls('open_attempt'),
      ],
      roundTrips: 4,
      flushes: 2,
    })
  })

  test('a replay, a mismatch and a running key each take one round trip and no flush', async () => {
    const store = storeOn(database.pool(), { mode: 'lease' })
    const [finished, running] = [claimOf(), claimOf()]
    await attemptOf(await store.begin(finished)).complete(kept('done'))
    const attempt = attemptOf(await store.begin(running))
    const costs = await costsOf(async (other) => {
      expect((await other.begin(again(finished))).kind).toBe('replay')
      expect((await other.begin(again(running))).kind).toBe('in-progress')
      expect((await other.begin(again(running, { fingerprints: ['x'] }))).kind).toBe('mismatch')
    })
    await attempt.release()
    expect(costs).toEqual({
      statements: [calls('claim_lease_7'), calls('claim_lease_7'), calls('claim_lease_7')],
      roundTrips: 3,
      flushes: 0,
    })
  })

  test('an unknown outcome is held without a flush and retaken with one', async () => {
    const [held, retaken] = [claimOf(), claimOf()]
    const store = storeOn(database.pool(), { mode: 'lease' })
    for (const claim of [held, retaken]) await attemptOf(await store.begin(claim)).abandon()
    const costs = await costsOf(async (other) => {
      expect((await other.begin(again(held, { whenUnknown: 'hold' }))).kind).toBe('unknown')
    })
    expect(costs).toEqual({ statements: [calls('claim_lease_7')], roundTrips: 1, flushes: 0 })
    let attempt: Attempt<PoolClient> | undefined
    expect(
      await costsOf(async (other) => {
        attempt = attemptOf(await other.begin(again(retaken)))
      }),
    ).toEqual({ statements: [calls('claim_lease_7')], roundTrips: 1, flushes: 1 })
    await attempt?.release()
  })

  test('fifty renewals take one statement and one flush', async () => {
    let attempts: Attempt<PoolClient>[] = []
    const costs = await costsOf(
      async () => {
        await Promise.all(attempts.map((attempt) => attempt.renew(60_000)))
      },
      async (store) => {
        const claims = Array.from({ length: 50 }, () => claimOf())
        attempts = await Promise.all(
          claims.map(async (claim) => attemptOf(await store.begin(claim))),
        )
      },
    )
    expect(costs).toEqual({ statements: [calls('renew_leases_4')], roundTrips: 1, flushes: 1 })
    await Promise.all(attempts.map((attempt) => attempt.release()))
  })

  /** The cost of `work` after `prepared`, counted by the server and on the wire. */
  async function costsOf(
    work: (store: Store) => Promise<void>,
    prepared: (store: Store) => Promise<void> = async () => {},
  ): Promise<{ statements: string[]; roundTrips: number; flushes: number }> {
    const proxy = await startProxy(server.port)
    proxies.push(proxy)
    const connectionString = proxy.through(database.url())
    const pool = database.pool({ pipeline, connectionString, max: 3 })
    const store = storeOn(pool, { prepare, mode: 'lease' })
    const clients = await Promise.all([1, 2, 3].map(() => pool.connect()))
    for (const client of clients) client.release()
    await prepared(store)
    const before = await flushes(clients)
    // A delay, so that statements sent together arrive together.
    proxy.latency(3)
    await resetStatements(database.url())
    proxy.resetCounts()
    await work(store)
    const { roundTrips } = proxy.counts()
    const counted = await countStatements(database.url())
    proxy.latency(0)
    const after = await flushes(clients)
    return {
      statements: counted.flatMap(({ query, calls: count }) =>
        Array.from({ length: count }, () => query.trim()),
      ),
      roundTrips,
      flushes: after - before,
    }
  }
})

/** Flushes so far by the backends of this pool. */
async function flushes(clients: PoolClient[]): Promise<number> {
  let total = 0
  for (const client of clients) {
    await client.query('select pg_stat_force_next_flush()')
    const { rows } = await client.query<{ fsyncs: string }>(
      `select coalesce(sum(fsyncs), 0) as fsyncs
         from pg_stat_get_backend_io(pg_backend_pid()) where object = 'wal'`,
    )
    total += Number(rows[0]?.fsyncs)
  }
  return total
}

async function write(attempt: Attempt<Pool | { query(text: string): unknown }>): Promise<void> {
  await (await attempt.transaction()).query(insert)
}
