import { type Database, freshDatabase } from '@oncekey/test-servers'
import pg from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'
import { oncekey, type Ran } from './oncekey.ts'

/**
 * A database for a file of tests, migrated for these packages besides the store; `empty` is not
 * migrated.
 */
export function cliDatabase(migrated: readonly ('webhooks' | 'saga')[] | 'empty' = []): {
  readonly url: () => string
  query<Row = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]>
  readonly pool: () => pg.Pool
  /** Runs the program on this database. */
  run(args: readonly string[], options?: Parameters<typeof oncekey>[1]): Promise<Ran>
} {
  let database: Database | undefined
  let pool: pg.Pool | undefined
  const url = (): string => database?.url ?? ''
  const run = (args: readonly string[], options: Parameters<typeof oncekey>[1] = {}) =>
    oncekey(args, { ...options, env: { DATABASE_URL: url(), ...options?.env } })
  beforeAll(async () => {
    database = await freshDatabase(inject('postgresUrl'))
    pool = new pg.Pool({ connectionString: database.url })
    if (migrated === 'empty') return
    const asked = migrated.flatMap((name) => ['--with', name])
    const { code, stderr } = await run(['migrate', ...asked])
    if (code !== 0) throw new Error(stderr)
  })
  afterAll(async () => {
    await pool?.end()
    await database?.drop()
  })
  return {
    url,
    run,
    pool: () => pool as pg.Pool,
    query: async (sql, values) => (await (pool as pg.Pool).query(sql, values)).rows,
  }
}
