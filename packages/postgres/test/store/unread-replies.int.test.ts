import { postgresLog, postgresStore } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { sqlClientOf } from '../../src/bridges/postgres-client.ts'
import type { SqlClient } from '../../src/sql/sql-client.ts'
import { again, attemptOf, claimOf, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

// A bug: the transaction stayed open, with the key's lock and the connection, until the server
// ended it after 125 s.
describe('a first reply that cannot be read leaves no transaction open', () => {
  const database = testDatabase()

  /** A client that loses the first rows of each transaction, as a bug of a driver did. */
  const losing = (pool: Pool): SqlClient<PoolClient> => {
    const real = sqlClientOf<PoolClient>(pool, { prepare: false })
    return { ...real, begin: async (options) => ({ ...(await real.begin(options)), rows: [] }) }
  }
  const givenBack = (pool: Pool): Promise<boolean> =>
    waitFor(() => pool.idleCount === pool.totalCount, { what: 'the client to be given back' })
  const unreadable = { code: 'store-unavailable' }

  test('of a claim', async () => {
    const pool = database.pool({ max: 2 })
    const claim = claimOf()
    await expect(postgresStore({ client: losing(pool) }).begin(claim)).rejects.toMatchObject(
      unreadable,
    )
    await givenBack(pool)
    const next = await storeOn(database.pool()).begin(again(claim))
    expect(said(next)).toBe('run')
    await attemptOf(next).release()
  })

  test('of a handler in lease mode', async () => {
    const pool = database.pool({ max: 3 })
    const attempt = attemptOf(
      await postgresStore({ client: losing(pool), mode: 'lease' }).begin(claimOf()),
    )
    await expect(attempt.transaction()).rejects.toMatchObject(unreadable)
    await attempt.release()
    await givenBack(pool)
  })

  test('of a consumer', async () => {
    const pool = database.pool({ max: 2 })
    const log = postgresLog({ client: losing(pool) })
    const asked = { consumer: 'mailer', eventIds: ['e-1'], timeoutMs: 5_000 }
    await expect(log.takeIn(asked)).rejects.toMatchObject(unreadable)
    await givenBack(pool)
  })
})
