import { consumer, createRelay } from '@oncekey/outbox'
import { migrate, postgresLog, transact } from '@oncekey/postgres'
import {
  findSystemPostgres,
  type PostgresServer,
  startPostgres,
  waitFor,
} from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const binDir = findSystemPostgres()

// The Postgres from npm is built without LLVM, so it never compiles a query.
describe.skipIf(binDir === undefined)(
  'on a server that compiles queries of high estimated cost',
  () => {
    let server: PostgresServer
    let pool: Pool

    beforeAll(async () => {
      const settings = { 'pg_stat_statements.track': 'all' }
      server = await startPostgres({ settings, ...(binDir !== undefined && { binDir }) })
      pool = new Pool({ connectionString: server.url })
      pool.on('error', () => {})
    }, 240_000)
    afterAll(async () => {
      await pool?.end()
      await server?.stop()
    })

    // A bug: each lease took half a second of processor time, because with sequential scans
    // switched off the planner puts the cost of reading a table of one row at ten billion.
    test('no query of a relay is compiled', { timeout: 240_000 }, async ({ skip }) => {
      const { rows: compiler } = await pool.query<{ can: boolean }>(
        `select pg_jit_available() and exists (select from information_schema.columns
          where table_name = 'pg_stat_statements' and column_name = 'jit_functions') as can`,
      )
      if (compiler[0]?.can !== true)
        skip('this server has no LLVM, or does not count what it compiles')
      await migrate(pool)
      let seen = 0
      let failed = false
      const relay = createRelay<PoolClient>({
        log: postgresLog({ client: pool }),
        leaseMs: 600,
        minPollMs: 2,
        consumers: [true, false].map((ordered) =>
          consumer<PoolClient>({
            name: ordered ? 'ordered' : 'plain',
            ordered,
            backoff: () => 10,
            async handle({ transaction }) {
              if (ordered) await transaction()
              const isFirst = !failed
              failed = true
              if (isFirst) throw new Error('once')
              seen += 1
            },
          }),
        ),
      })
      relay.start()
      for (let at = 0; at < 20; at += 1) {
        await transact(pool, (_, emit) => emit({ type: 'order.created' }))
      }
      await waitFor(() => seen === 40, { what: 'all deliveries', timeoutMs: 60_000 })
      await relay.stop()
      const { rows } = await pool.query(
        `select left(query, 200) as query, calls, jit_functions from pg_stat_statements
        where jit_functions > 0 and query ~ 'oncekey' order by jit_functions desc`,
      )
      expect(rows).toEqual([])
    })
  },
)
