import { migrate } from '@oncekey/postgres'
import { sagaMigrations } from '@oncekey/saga'
import { type Database, freshDatabase, publishAllTables } from '@oncekey/test-servers'
import { Pool, type PoolConfig } from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'
import { ORDERS_TABLES } from './order-saga.ts'

/** A migrated database for one test file, with the tables that the steps of orders write. */
export interface SagaDatabase {
  url(): string
  /** A pool that ends with the file. Tests may kill its idle clients. */
  pool(config?: PoolConfig): Pool
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>
}

export function sagaDatabase(serverUrl: () => string = () => inject('postgresUrl')): SagaDatabase {
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
    own = pool({ max: 4 })
    await migrate(own, { also: [sagaMigrations] })
    await own.query(ORDERS_TABLES)
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
  }
}
