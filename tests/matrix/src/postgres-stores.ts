import { PGlite, type Transaction } from '@electric-sql/pglite'
import type { AdapterSuiteStore } from '@oncekey/conformance'
import { fromPglite } from '@oncekey/postgres/pglite'
import { type Database, freshDatabase, type PgBouncer, startPgBouncer } from '@oncekey/test-servers'
import { Pool, type PoolClient, type PoolConfig } from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'
import { postgresFixture, prepared } from './postgres-fixture.ts'

/** The store on a `pg` Pool, in each way of talking to the server. */
export function onPool(
  name: string,
  {
    config = {},
    behindPgBouncer = false,
    ...options
  }: {
    config?: PoolConfig
    behindPgBouncer?: boolean
    prepare?: boolean
    mode?: 'transaction' | 'lease'
  } = {},
): AdapterSuiteStore {
  let database: Database
  let pgbouncer: PgBouncer | undefined
  let pool: Pool
  beforeAll(async () => {
    database = await freshDatabase(inject('postgresUrl'))
    pgbouncer = behindPgBouncer ? await startPgBouncer(database.url) : undefined
    const connectionString = pgbouncer?.through(database.url) ?? database.url
    pool = new Pool({ connectionString, max: 20, ...config })
    pool.on('error', () => {})
    await prepared(pool, pool)
  })
  afterAll(async () => {
    await pool.end()
    await pgbouncer?.stop()
    await database.drop()
  })
  return { name, create: () => postgresFixture<PoolClient>(pool, pool, options) }
}

/** PGlite is compiled at its first use, while the other tests use the processors. */
const SLOW_START_MS = 180_000

/** The store on PGlite in memory. */
export function onPglite(): AdapterSuiteStore {
  let db: PGlite
  beforeAll(async () => {
    db = new PGlite()
    await prepared(fromPglite(db), db)
  }, SLOW_START_MS)
  afterAll(() => db.close())
  return { name: 'PGlite', create: () => postgresFixture<Transaction>(fromPglite(db), db) }
}
