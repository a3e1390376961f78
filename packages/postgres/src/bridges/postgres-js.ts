import { OncekeyError, OptionsError } from '@oncekey/core'
import { inliner } from '../sql/inlined-values.ts'
import { readWrite } from '../sql/left-read-only.ts'
import type { SqlClient, Statement } from '../sql/sql-client.ts'
import { isOutcomeKnown } from '../sql/sql-state.ts'
import { fromCallbacks } from './deferred-transaction.ts'
import type { Close, HandleRules } from './handle/handle-rules.ts'
import { type CopyStream, closeableCopy } from './handle/open-streams.ts'
import {
  afterReading,
  emptyQuery,
  isQuery,
  type Query,
  type RawResult,
  textOf,
} from './on-postgres-js/query.ts'
import {
  NO_TRANSACTION,
  OPEN_FOR_WRITES,
  ownBackends,
  withoutStrays,
} from './on-postgres-js/stray-transactions.ts'

/** The part of postgres.js's `sql` that is used here. */
export interface PostgresJs<Tx> {
  begin<T>(options: string, callback: (tx: Tx) => Promise<T>): Promise<unknown>
  unsafe(query: string): unknown
  readonly CLOSE?: unknown
  readonly options: {
    readonly max: number
    readonly max_pipeline?: number | undefined
    readonly transform?: {
      readonly column?: { readonly from?: Renaming | undefined }
      readonly row?: { readonly from?: unknown }
    }
  }
}

type Renaming = (column: string) => string

/**
 * postgres.js as a client for {@link postgresStore}: a handler's `transaction()` is the `sql` that
 * `sql.begin` passes.
 *
 * postgres.js does not commit after a statement has failed, even if the handler caught the error.
 * The error of such a request is `transaction-aborted`. Wrap a statement that may fail in
 * `tx.savepoint(…)`.
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
  const { max_pipeline: pipeline = LEAST_PIPELINE } = sql.options
  if (pipeline < LEAST_PIPELINE) throw leavesTransactionsOpen(pipeline)
  if (typeof sql.options.transform?.row?.from === 'function') throw transformsRows()
  const inlined = inliner()
  const rename = sql.options.transform?.column?.from ?? undefined

  const backends = ownBackends()
  /**
   * Transactions in which no statement was sent yet. Each is read-only until its first statement.
   */
  const unasked = new WeakSet<Tx>()

  const client = fromCallbacks<Tx>({
    concurrency: 'many',
    poolSize: sql.options.max,
    pipelines: true,
    // postgres.js would write a later statement to the closed socket, and that error would end the
    // process.
    isLost: isOfConnection,
    // A socket's 'drain' that comes between two statements puts its connection back into the pool,
    // also if a transaction is open on it (`drain` in src/connection.js of 3.4.9).
    sharesConnections: true,
    rules: rulesFor(sql),

    async transaction(isolation, body) {
      let kept = false
      let lent: Tx | undefined
      try {
        await sql.begin(`isolation level ${isolation} read only`, async (tx) => {
          lent = tx
          unasked.add(tx)
          await body(tx)
          kept = true
        })
      } catch (error) {
        throw kept && isOfHandler(error) ? swallowed(error) : error
      } finally {
        if (lent !== undefined) backends.over(lent)
      }
    },

    async query<Row>(statement: Statement<Row>, tx?: Tx, signal?: AbortSignal) {
      // Plain text takes one round trip; with parameters, postgres.js first asks the server for
      // their types.
      const isFirst = tx !== undefined && unasked.delete(tx)
      const before = tx === undefined ? NO_TRANSACTION : isFirst ? OPEN_FOR_WRITES : ''
      const text = before + inlined(statement)
      const query = ((tx ?? sql) as PostgresJs<Tx>).unsafe(text) as Query
      const stop = (): void => void query.cancel()
      signal?.addEventListener('abort', stop)
      try {
        // Raw, so that no parser or transform of the user changes a value: `transform.row` would.
        return rowsOf(lastOf(await query.raw()), rename) as Row[]
      } catch (error) {
        throw isFirst ? readWrite(error) : error
      } finally {
        backends.saw(query, tx)
        signal?.removeEventListener('abort', stop)
      }
    },
  })
  return withoutStrays(client, backends, async (text) => {
    const query = sql.unsafe(text) as Query
    const error: unknown = await Promise.resolve(query).then(
      () => undefined,
      (thrown) => thrown,
    )
    backends.saw(query)
    return { error, isLent: backends.isLent(query) }
  })
}

function isPostgresJs(sql: unknown): boolean {
  return typeof sql === 'function' && 'begin' in sql && 'unsafe' in sql
}

function rulesFor({ CLOSE }: { readonly CLOSE?: unknown }): HandleRules {
  return {
    statements: { unsafe: () => undefined, file: () => undefined },
    // `prepare()` has postgres.js send PREPARE TRANSACTION instead of COMMIT.
    refused: ['prepare'],
    nested: ['savepoint'],
    lazy(statement, check, opened, lost, underWay, { transaction, name, args }) {
      if (!isQuery(statement)) return
      const query = statement
      const isFile = name === 'file'
      const { handler: send } = isFile ? emptyQuery(transaction) : query
      const checked = (sent: Query): unknown => {
        try {
          check(textOf(sent))
        } catch (error) {
          return sent.reject(error)
        }
        if (typeof sent.cursorFn === 'function') opened(closeableCursor(sent, CLOSE))
        else listenForStream(sent, opened)
        const { reject, resolve } = sent
        const answered = underWay(reject)
        sent.resolve = (value) => {
          answered()
          resolve(value)
        }
        sent.reject = (error) => {
          answered()
          if (isOfConnection(error)) lost(error)
          reject(error)
        }
        return send(sent)
      }
      const sending = isFile ? afterReading(args[0] as string, checked) : checked
      query.handler = Object.assign(sending, send)
    },
  }
}

/**
 * Whether the error means that the connection is gone: a socket error (with `errno`), postgres.js's
 * own equivalent, or a FATAL error of the server, which closes the connection after it.
 */
function isOfConnection(error: unknown): boolean {
  const { errno, severity } = Object(error)
  return errno !== undefined || severity === 'FATAL' || severity === 'PANIC'
}

/**
 * Makes a cursor closeable while the handler is still busy with its rows. Each step of an iterator
 * sets a new `cursorFn`, so the property is intercepted.
 */
function closeableCursor(query: Query, CLOSE: unknown): Close {
  let isOver = false
  let stop = (_: unknown): void => {}
  let taking = query.cursorFn
  const take = (rows: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      stop = resolve
      if (isOver) resolve(CLOSE)
      else Promise.resolve(taking?.(rows)).then(resolve, reject)
    })
  Object.defineProperty(query, 'cursorFn', {
    get: () => take,
    set(next: Query['cursorFn']) {
      taking = next
    },
  })
  return () => {
    isOver = true
    stop(CLOSE)
  }
}

/** A query that is a COPY resolves to a stream; `opened` gets a function that closes it. */
function listenForStream(query: Query, opened: (close: Close) => void): void {
  const { resolve } = query
  query.resolve = (value) => {
    const stream = Object(value) as CopyStream
    if (typeof stream.destroy === 'function') opened(closeableCopy(stream))
    resolve(value)
  }
}

/**
 * The last result. A message of several statements has a result for each, a single statement has
 * one.
 */
function lastOf(result: RawResult | readonly RawResult[]): RawResult {
  const isOne = 'columns' in result
  return isOne ? result : (result.at(-1) as RawResult)
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

/** Looks a column up by the name that the user's column transform has given it. */
function byName(row: object, rename: Renaming): object {
  return new Proxy(row, {
    get: (target, name) =>
      Reflect.get(target, typeof name === 'symbol' || name in target ? name : rename(name)),
  })
}

/**
 * Whether `sql.begin` threw this instead of committing because a statement of the handler failed.
 * `sql.begin` throws the first such error, even if the handler caught it.
 */
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

/**
 * The error for a `max_pipeline` that is too small: every burst would then leave a transaction
 * open; see `withoutStrays`.
 */
function leavesTransactionsOpen(pipeline: number): OptionsError {
  return new OptionsError(
    `fromPostgresJs: max_pipeline is ${pipeline}. postgres.js 3.4 leaves a transaction open on a connection of ` +
      'the pool if BEGIN is the statement that fills a pipeline, and what is sent there next may never be ' +
      'committed. Leave it out, or write max_pipeline: 10_000, which nothing fills.',
  )
}

function transformsRows(): OptionsError {
  return new OptionsError(
    'fromPostgresJs: transform.row changes raw rows, too, and what the database answers to Oncekey could not be ' +
      'read. Leave it out, and change the rows where you read them; transform.column and transform.value may stay.',
  )
}

/** The default of postgres.js. */
const LEAST_PIPELINE = 100

function notPostgresJs(): OptionsError {
  return new OptionsError(
    'fromPostgresJs: this is not the `sql` that postgres(…) returned; a transaction or a reserved ' +
      'connection is not one. Write fromPostgresJs(postgres(url)).',
  )
}
