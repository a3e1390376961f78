import { migrate, transact } from '@oncekey/postgres'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { Pool, type PoolConfig } from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'

/** A migrated database for one test file, with a table `effects` that consumers write to. */
export interface LogDatabase {
  url(): string
  /** A pool that is closed after the file's tests. */
  pool(config?: PoolConfig): Pool
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>
  /** Commits one event for each subject, each in its own transaction. */
  emit(...subjects: string[]): Promise<void>
  /** How often each subject took effect through a consumer. */
  effects(consumer: string): Promise<Record<string, number>>
}

export function logDatabase(): LogDatabase {
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
    database = await freshDatabase(inject('postgresUrl'))
    own = pool()
    await migrate(own)
    // No constraint, so that a second effect would show.
    await own.query('create table effects (consumer text not null, subject text not null)')
  })

  afterAll(async () => {
    await Promise.all(pools.map((each) => each.ended || each.end()))
    await database.drop()
  })

  return {
    url: () => database.url,
    pool,
    query: async (text, values) => (await own.query(text, values)).rows,
    async emit(...subjects) {
      for (const subject of subjects) {
        await transact(own, (_, emit) => emit({ type: 'order.created', subject }))
      }
    },
    async effects(consumer) {
      const { rows } = await own.query<{ subject: string; count: string }>(
        'select subject, count(*) from effects where consumer = $1 group by subject',
        [consumer],
      )
      return Object.fromEntries(rows.map(({ subject, count }) => [subject, Number(count)]))
    },
  }
}

/** Settings that make retries and polls fast enough for a test. */
export const quick = { leaseMs: 1_500, minPollMs: 2, maxPollMs: 50, advanceEveryMs: 5 } as const

/** A promise and the function that resolves it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
