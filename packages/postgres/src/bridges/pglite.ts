import type { SqlClient, Statement } from '../sql/sql-client.ts'
import { lockDataFolder } from './data-folder-lock.ts'
import { fromCallbacks } from './deferred-transaction.ts'

/** The part of a PGlite database that is used here. */
export interface PgliteDatabase<Tx> {
  query<Row>(query: string, params?: unknown[]): Promise<{ rows: Row[] }>
  transaction<T>(callback: (tx: Tx) => Promise<T>): Promise<T>
  readonly closed: boolean
  readonly dataDir?: string | undefined
}

/** The part of a PGlite transaction that is used here. */
export interface PgliteTransaction {
  query<Row>(query: string, params?: unknown[]): Promise<{ rows: Row[] }>
}

/**
 * PGlite, PostgreSQL inside the process, as a client for {@link postgresStore}. It has one session,
 * so attempts run one after the other. A query on the database itself waits for the open
 * transaction to end, so a handler must query only its transaction.
 *
 * The data folder is locked, because PGlite itself would admit a second process, which would
 * corrupt it. The error names the process that holds the lock.
 *
 * @example
 * ```ts
 * const client = fromPglite(new PGlite('./data'))
 * await migrate(client)
 * const store = postgresStore({ client })
 * ```
 */
export function fromPglite<Tx extends PgliteTransaction>(db: PgliteDatabase<Tx>): SqlClient<Tx> {
  lockDataFolder(db)

  return fromCallbacks<Tx>({
    concurrency: 'one',
    poolSize: 1,
    transaction: (isolation, body) =>
      db.transaction(async (tx) => {
        await tx.query(`set transaction isolation level ${isolation}`)
        await body(tx)
      }),
    async query<Row>({ text, values }: Statement<Row>, tx?: Tx) {
      const { rows } = await (tx ?? db).query<Row>(text, [...values])
      return rows
    },
    rules: {
      statements: { query: textOf, exec: textOf, sql: textOf },
      refused: ['rollback'],
    },
  })
}

/** The text of a query, or the parts of a template. */
function textOf(argument: unknown): string | undefined {
  const text = Array.isArray(argument) ? argument.join(' ') : argument
  return typeof text === 'string' ? text : undefined
}
