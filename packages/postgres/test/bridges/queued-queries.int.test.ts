import { postgresStore } from '@oncekey/postgres'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import { waitFor } from '@oncekey/test-servers'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { attemptOf, claimOf } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

// A bug: postgres.js keeps a query back while the connection does not take any more, and forgets it
// when the connection is lost. A handler that awaited one hung until its timeout.
test('postgres.js: queries that wait for their turn fail with the connection', async () => {
  const sql = postgres(database.url(), { max: 2, onnotice: () => {} })
  const store = postgresStore({ client: fromPostgresJs(sql) })
  const attempt = attemptOf(await store.begin(claimOf()))
  const tx = await attempt.transaction()
  const [{ pid } = { pid: 0 }] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`
  // Until its parameters are described nothing else is sent.
  const first = tx`select pg_sleep(600), ${'x'}::text`.catch((error) => error)
  const queued = [1, 2, 3].map((at) => tx`select ${at}::int`.catch((error) => error))
  await waitFor(
    async () =>
      (
        await database.query('select from pg_stat_activity where pid = $1 and state = $2', [
          pid,
          'active',
        ])
      ).length === 1,
    { what: 'the first query to run' },
  )
  const later = tx`select 4`.catch((error) => error)
  await database.query('select pg_terminate_backend($1)', [pid])
  const last = tx`select 5`.catch((error) => error)
  for (const failed of [first, ...queued, later, last]) expect(await failed).toBeInstanceOf(Error)
  await expect(tx`select 6`).rejects.toMatchObject({ code: 'transaction-over' })
  await attempt.abandon()
  await sql.end({ timeout: 2 })
})
