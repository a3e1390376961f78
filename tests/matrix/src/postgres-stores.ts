import { PGlite, type Transaction } from '@electric-sql/pglite'
import type { AdapterSuiteStore, StoreFixture } from '@oncekey/conformance'
import type { OutboxEvent } from '@oncekey/core'
import { migrate, type PostgresClient, postgresStore, purge } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { type Database, freshDatabase, type PgBouncer, startPgBouncer } from '@oncekey/test-servers'
import { Pool, type PoolClient, type PoolConfig } from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'

interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

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
  return { name, create: () => fixture<PoolClient>(pool, pool, options) }
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
  return { name: 'PGlite', create: () => fixture<Transaction>(fromPglite(db), db) }
}

async function prepared<Tx>(client: PostgresClient<Tx>, database: Queryable): Promise<void> {
  await migrate(client)
  await database.query('create table orders (id text primary key)')
}

function fixture<Tx extends Queryable>(
  client: PostgresClient<Tx>,
  database: Queryable,
  options: { prepare?: boolean; mode?: 'transaction' | 'lease' } = {},
): StoreFixture {
  const made: StoreFixture<Tx> = {
    store: postgresStore<Tx>({ client, ...options }),
    write: (tx, id) => tx.query('insert into orders values ($1)', [id]),
    async written(id, within) {
      const { rows } = await (within ?? database).query('select from orders where id = $1', [id])
      return rows.length === 1
    },
    async events() {
      const { rows } = await database.query(
        `select id, type, source, subject, ordering_key as "orderingKey", data::text, headers,
           occurred_at as "occurredAt"
         from oncekey.outbox order by seq`,
      )
      return rows as OutboxEvent[]
    },
    async expireResults() {
      await purge(client, { resultRetentionMs: 0, limit: 100_000 })
    },
  }
  // Only the fixture knows the type of a transaction.
  return made as StoreFixture
}
