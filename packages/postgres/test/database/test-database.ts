import { migrate, type PostgresStoreOptions, postgresStore } from '@oncekey/postgres'
import { type Database, freshDatabase, publishAllTables } from '@oncekey/test-servers'
import { Pool, type PoolClient, type PoolConfig } from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'

/** A migrated database for one test file, with a table `orders` that handlers write to. */
export interface TestDatabase {
  url(): string
  /** A pool that is closed after the file's tests. Tests may kill its idle clients. */
  pool(config?: PoolConfig): Pool
  /** Queries the database without the store. */
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>
  /** How many advisory locks are held in this database or, with `waited`, awaited. */
  locks(options?: { waitedFor?: boolean }): Promise<number>
  /** Whether a handler's order is committed. */
  hasOrder(id: string): Promise<boolean>
}

export function testDatabase(serverUrl: () => string = () => inject('postgresUrl')): TestDatabase {
  const pools: Pool[] = []
  let database: Database
  let own: Pool

  const pool = (config: PoolConfig = {}): Pool => {
    const made = new Pool({ connectionString: database.url, ...config })
    made.on('error', () => {})
    pools.push(made)
    return made
  }

  beforeAll(async () => {
    database = await freshDatabase(serverUrl())
    own = pool()
    await migrate(own)
    await own.query('create table orders (id text primary key)')
    await publishAllTables(database.url)
  })

  afterAll(async () => {
    await Promise.all(pools.map((each) => each.ended || each.end()))
    await database.drop()
  })

  return {
    url: () => database.url,
    pool,
    query: async (text, values) => (await own.query(text, values)).rows,
    async locks({ waitedFor = false } = {}) {
      const { rows } = await own.query<{ count: string }>(
        `select count(*) from pg_locks join pg_database d on d.oid = database
           where d.datname = current_database() and locktype = 'advisory' and granted <> $1`,
        [waitedFor],
      )
      return Number(rows[0]?.count)
    },
    async hasOrder(id) {
      const { rowCount } = await own.query('select from orders where id = $1', [id])
      return rowCount === 1
    },
  }
}

/** The ways in which `pg` sends statements to the server. */
export const wires = [
  { wire: 'bound', pipeline: false, prepare: false },
  { wire: 'bound on a pool that pipelines', pipeline: true, prepare: false },
  { wire: 'prepared', pipeline: false, prepare: true },
  { wire: 'prepared on a pool that pipelines', pipeline: true, prepare: true },
] as const

export function storeOn(
  client: Pool,
  options: Omit<PostgresStoreOptions<PoolClient>, 'client'> = {},
): ReturnType<typeof postgresStore<PoolClient>> {
  return postgresStore({ client, ...options })
}
