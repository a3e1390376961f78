import type { SqlClient, Statement } from '../sql/sql-client.ts'
import { lockDataFolder } from './data-folder-lock.ts'
import { fromCallbacks } from './deferred-transaction.ts'
import type { PartedText } from './handle/handle-rules.ts'

/** The part of a PGlite database that is used here. */
export interface PgliteDatabase<Tx> {
  query<Row>(query: string, params?: unknown[]): Promise<{ rows: Row[] }>
  transaction<T>(callback: (tx: Tx) => Promise<T>): Promise<T>
  /** Writes what was committed to the file system, unless the database has `relaxedDurability`. */
  syncToFs?(): Promise<void>
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
    async transaction(isolation, body) {
      await db.transaction(async (tx) => {
        await tx.query(`set transaction isolation level ${isolation}`)
        await body(tx)
      })
      // PGlite does this after a query, but not after COMMIT: on a file system that keeps only what
      // was synced, a process that dies now would lose what is about to be reported as stored.
      await db.syncToFs?.()
    },
    async query<Row>({ text, values }: Statement<Row>, tx?: Tx) {
      const { rows } = await (tx ?? db).query<Row>(text, [...values])
      return rows
    },
    rules: {
      statements: { query: textOf, exec: textOf, sql: templateOf },
      refused: ['rollback'],
    },
  })
}

function textOf(argument: unknown): string | undefined {
  return typeof argument === 'string' ? argument : undefined
}

/** The text of a template, without its values and with the templates that are inside it. */
function templateOf(strings: unknown, ...values: unknown[]): PartedText {
  if (!Array.isArray(strings)) return HIDDEN
  const inside = values.map((value): PartedText => {
    const { _templateType: type, str, strings, values = [] } = Object(value) as Template
    if (type === 'part') return str === undefined ? HIDDEN : { text: str, isWhole: true }
    return type === 'container' ? templateOf(strings, ...values) : VALUE
  })
  return {
    text: strings.map((text, at) => `${text}${inside[at]?.text ?? ''}`).join(''),
    isWhole: inside.every(({ isWhole }) => isWhole),
  }
}

const VALUE: PartedText = { text: ' $1 ', isWhole: true }
const HIDDEN: PartedText = { text: ' $1 ', isWhole: false }

/** What `raw`, `identifier` and `sql` of PGlite's templates make. */
interface Template {
  readonly _templateType?: string
  readonly str?: string
  readonly strings?: readonly string[]
  readonly values?: readonly unknown[]
}
