import { OncekeyError, OptionsError } from '@oncekey/core'
import { fromCallbacks } from './deferred-transaction.ts'
import { inliner } from './inlined.ts'
import type { SqlClient, Statement } from './sql-client.ts'
import { isOutcomeKnown } from './sql-state.ts'
import type { HandleRules } from './transaction-handle.ts'

/** The `sql` of postgres.js, down to what is used of it. */
export interface PostgresJs<Tx> {
  begin<T>(options: string, callback: (tx: Tx) => Promise<T>): Promise<unknown>
  unsafe(query: string): unknown
  readonly options: {
    readonly max: number
    readonly transform?: { readonly column?: { readonly from?: Renaming | undefined } }
  }
}

type Renaming = (column: string) => string

/**
 * postgres.js as a client for {@link postgresStore}: a handler's `transaction()` is what `sql.begin`
 * gives.
 *
 * postgres.js commits nothing after a statement that failed, even where the error was caught: such a
 * request is answered `transaction-aborted`. Write `tx.savepoint(…)` around a statement that may fail.
 *
 * @example
 * ```ts
 * const sql = postgres(process.env.DATABASE_URL)
 * const store = postgresStore({ client: fromPostgresJs(sql) })
 * // in a handler
 * const tx = await once.of(req).transaction()
 * await tx`insert into orders ${tx({ item })}`
 * ```
 */
export function fromPostgresJs<Tx extends object>(sql: PostgresJs<Tx>): SqlClient<Tx> {
  if (!isPostgresJs(sql)) throw notPostgresJs()
  const inlined = inliner()
  const rename = sql.options.transform?.column?.from ?? undefined

  return fromCallbacks<Tx>({
    concurrency: 'many',
    poolSize: sql.options.max,
    pipelines: true,
    rules: RULES,

    async transaction(isolation, body) {
      let kept = false
      try {
        await sql.begin(`isolation level ${isolation}`, async (tx) => {
          await body(tx)
          kept = true
        })
      } catch (error) {
        throw kept && isOfHandler(error) ? swallowed(error) : error
      }
    },

    async query<Row>(statement: Statement<Row>, tx?: Tx, signal?: AbortSignal) {
      // As text it is one round trip; with parameters postgres.js asks for their types first.
      const text = inlined(statement)
      const query = ((tx ?? sql) as PostgresJs<Tx>).unsafe(text) as Query
      const stop = (): void => void query.cancel()
      signal?.addEventListener('abort', stop)
      try {
        // Raw, so that no parser and no transform of the user's changes a value.
        return rowsOf(await query.raw(), rename) as Row[]
      } finally {
        signal?.removeEventListener('abort', stop)
      }
    },
  })
}

function isPostgresJs(sql: unknown): boolean {
  return typeof sql === 'function' && 'begin' in sql && 'unsafe' in sql
}

/** A query of postgres.js: it is sent when somebody waits for it. */
interface Query {
  handler: (query: Query) => unknown
  reject(error: unknown): void
  raw(): Promise<RawResult>
  cancel(): unknown
}

interface RawResult extends ReadonlyArray<readonly (Uint8Array | null)[]> {
  readonly columns?: readonly { readonly name: string }[]
}

const RULES: HandleRules = {
  statements: { unsafe: textOf, file: () => undefined },
  // It would have COMMIT replaced by PREPARE TRANSACTION.
  refused: ['prepare'],
  nested: ['savepoint'],
  called: textOf,
  lazy(statement, check) {
    const query = statement as Query
    if (typeof query?.handler !== 'function' || typeof query.reject !== 'function') return
    const send = query.handler
    const checked = (sent: Query): unknown => {
      try {
        check()
      } catch (error) {
        return sent.reject(error)
      }
      return send(sent)
    }
    query.handler = Object.assign(checked, send)
  },
}

/** The text of a query, or the pieces of a template. */
function textOf(argument: unknown): string | undefined {
  if (typeof argument === 'string') return argument
  return Array.isArray(argument) && 'raw' in argument ? argument.join(' ') : undefined
}

function rowsOf(result: RawResult, rename: Renaming | undefined): object[] {
  const names = (result.columns ?? []).map(({ name }) => name)
  return result.map((values) => {
    const row = Object.fromEntries(names.map((name, at) => [name, asText(values[at])]))
    return rename === undefined ? row : byName(row, rename)
  })
}

function asText(value: Uint8Array | null | undefined): string | null {
  return value == null ? null : Buffer.from(value).toString()
}

/** The names have been transformed as the user wants it: what is asked for has to be as well. */
function byName(row: object, rename: Renaming): object {
  return new Proxy(row, {
    get: (target, name) =>
      Reflect.get(target, typeof name === 'symbol' || name in target ? name : rename(name)),
  })
}

/** What `sql.begin` says in place of committing: the first error of a statement, caught or not. */
function isOfHandler(error: unknown): boolean {
  return isOutcomeKnown(error) && (error as { query?: string }).query !== 'commit'
}

function swallowed(cause: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-aborted',
    'A statement of the transaction failed, and postgres.js commits nothing after that, even where ' +
      'the error was caught: nothing was stored. Let the error through, or write ' +
      'tx.savepoint((tx) => …) around the statement.',
    { cause },
  )
}

function notPostgresJs(): OptionsError {
  return new OptionsError(
    'fromPostgresJs: this is not the `sql` that postgres(…) returned; a transaction or a reserved ' +
      'connection is not one. Write fromPostgresJs(postgres(url)).',
  )
}
