import { type PostgresServer, startPostgres, waitFor } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

describe('a database that was not migrated', () => {
  const database = testDatabase()

  test.each(['begin', 'open'] as const)('reports at %s what to run', async (method) => {
    const store = storeOn(database.pool(), { schema: 'elsewhere' })
    const asked =
      method === 'begin'
        ? store.begin(claimOf())
        : store.open({ leaseMs: 1_000 }).then((attempt) => attempt.transaction())
    await expect(asked).rejects.toMatchObject({
      code: 'store-not-migrated',
      message: expect.stringContaining("await migrate(pool, { schema: 'elsewhere' })"),
    })
  })

  test('is also reported if it is at an older version without a function that this release calls', async () => {
    await database.query('drop function oncekey.claim_3')
    const pool = database.pool()
    await expect(storeOn(pool).begin(claimOf())).rejects.toMatchObject({
      code: 'store-not-migrated',
      message: expect.stringContaining('await migrate(pool)'),
    })
    await waitFor(() => pool.idleCount === pool.totalCount, { what: 'the client to be given back' })
  })
})

describe('a server that cannot be reached', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ settings: { max_connections: '12' } })
  })
  afterAll(() => server.stop())
  const database = testDatabase(() => server.url)

  test('because nothing listens on its port', async () => {
    const pool = new Pool({ connectionString: 'postgres://postgres@127.0.0.1:1/postgres' })
    const store = storeOn(pool)
    await expect(store.begin(claimOf())).rejects.toMatchObject({
      code: 'store-unavailable',
      cause: expect.objectContaining({ code: 'ECONNREFUSED' }),
    })
    await pool.end()
  })

  test('because it has no connection to spare', async () => {
    const hog = database.pool({ max: 20 })
    const taken = []
    try {
      for (;;) taken.push(await hog.connect())
    } catch {
      // All connections of the server are taken.
    }
    const pool = database.pool()
    const store = storeOn(pool)
    await expect(store.begin(claimOf())).rejects.toMatchObject({
      code: 'store-unavailable',
      cause: expect.objectContaining({ code: '53300' }),
    })
    for (const client of taken) client.release()
    await hog.end()
    await waitFor(
      async () =>
        attemptOf(await store.begin(claimOf()))
          .release()
          .then(() => true),
      {
        what: 'connections to be free again',
      },
    )
  })

  test('because it has crashed has everything it confirmed when it is back', async () => {
    const store = storeOn(database.pool())
    const [stored, running] = [claimOf(), claimOf()]
    expect(await attemptOf(await store.begin(stored)).complete(kept('done'))).toBe('stored')
    const attempt = attemptOf(await store.begin(running))
    await server.crash()
    await expect(attempt.complete(kept('lost'))).rejects.toMatchObject({ code: 'commit-failed' })
    await expect(store.begin(claimOf())).rejects.toMatchObject({ code: 'store-unavailable' })
    await server.restart()
    expect(said(await store.begin(again(stored)))).toBe('replay 201 done')
    await attemptOf(await store.begin(again(running))).release()
  })
})
