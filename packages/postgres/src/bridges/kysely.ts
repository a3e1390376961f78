import { type OncekeyError, OptionsError } from '@oncekey/core'
import { onIdleClients } from '../sql/pg/idle-clients.ts'
import type { Isolation, SqlClient, Statement } from '../sql/sql-client.ts'
import { fromCallbacks } from './deferred-transaction.ts'
import type { HandleRules } from './handle/handle-rules.ts'

/** The part of a Kysely database that is used here. */
export interface KyselyDatabase<Tx> {
  readonly isTransaction: boolean
  transaction(): {
    setIsolationLevel(isolation: Isolation): {
      execute<T>(callback: (tx: Tx) => Promise<T>): Promise<T>
    }
  }
}

export interface KyselyOptions {
  /**
   * The Pool of the dialect, which Kysely does not expose. Its size is read, a client that somebody
   * released with a transaction open is not used, and its clients get an 'error' listener: without
   * one, a connection lost while a handler runs ends the process, as in
   * every Kysely transaction. If you omit it, add the listener yourself: `pool.on('connect',
   * (client) => client.on('error', log))`.
   */
  readonly pool?: KyselyPool
  /** The number of connections, if the dialect uses another kind of pool. @default 10 */
  readonly poolSize?: number
}

/** The part of a `pg` Pool that is used here. */
export interface KyselyPool {
  readonly options: { readonly max?: number | undefined }
  on(event: 'acquire', listener: (client: Emitter) => void): unknown
}

interface Emitter {
  on(event: 'error', listener: () => void): unknown
}

/**
 * Kysely as a client for {@link postgresStore}: a handler's `transaction()` is a `Transaction<DB>`.
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString })
 * const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
 * const store = postgresStore({ client: fromKysely(db, { pool }) })
 * // in a handler
 * const tx = await once.of(req).transaction()
 * await tx.insertInto('orders').values({ item }).execute()
 * ```
 */
export function fromKysely<Tx extends object>(
  db: KyselyDatabase<Tx>,
  options: KyselyOptions = {},
): SqlClient<Tx> {
  const own = db as unknown as Kysely
  if (typeof own?.getExecutor !== 'function' || own.isTransaction !== false) throw notKysely()
  const dialect = own.getExecutor().adapter?.constructor.name ?? ''
  if (OTHER_DIALECT.test(dialect)) throw notPostgres(dialect)
  if (options.pool !== undefined) listenTo(options.pool)
  // Our own statements bypass the user's plugins.
  const plain = own.withoutPlugins()
  const isOneSession = /pglite/i.test(dialect)
  const { pool } = options
  const connecting = <T>(work: () => Promise<T>): Promise<T> =>
    pool === undefined ? work() : onIdleClients(pool, work)

  return fromCallbacks<Tx>({
    concurrency: isOneSession ? 'one' : 'many',
    poolSize: isOneSession ? 1 : sizeOf(options),
    rules: RULES,
    settled: (tx) => executorOf(tx).provideConnection(async () => {}),
    transaction: (isolation, body) =>
      connecting(() => db.transaction().setIsolationLevel(isolation).execute(body)),
    async query<Row>({ text, values }: Statement<Row>, tx?: Tx) {
      const query = compiled(text, values)
      const { rows } =
        tx === undefined
          ? await connecting(() => plain.executeQuery(query))
          : await (tx as unknown as Kysely).withoutPlugins().executeQuery(query)
      return rows as Row[]
    },
  })
}

/**
 * Adds an 'error' listener that does nothing: the statement under way, or the next one, fails with
 * the same error.
 */
function listenTo(pool: KyselyPool): void {
  if (typeof pool.on !== 'function') throw notAPool()
  if (listenedTo.has(pool)) return
  listenedTo.add(pool)
  pool.on('acquire', (client) => {
    if (listenedTo.has(client)) return
    listenedTo.add(client)
    client.on('error', () => {})
  })
}

const listenedTo = new WeakSet<object>()

function sizeOf({ pool, poolSize }: KyselyOptions): number {
  const size = poolSize ?? pool?.options.max ?? 10
  if (Number.isInteger(size) && size > 0) return size
  throw new OptionsError(
    `fromKysely: poolSize: ${size} is not a whole number above 0. Write the \`max\` of the pool.`,
  )
}

/** The methods of a Kysely and of its Transaction that are used here. */
interface Kysely {
  readonly isTransaction: boolean
  getExecutor(): Executor
  withoutPlugins(): Kysely
  withPlugin(plugin: Plugin): Kysely
  executeQuery(query: CompiledQuery): Promise<{ readonly rows: unknown[] }>
}

/**
 * Sends compiled queries. In a transaction an executor lends its connection to one statement at a
 * time; Kysely's own COMMIT and ROLLBACK do not wait for their turn.
 */
interface Executor {
  readonly adapter?: { readonly constructor: { readonly name: string } }
  provideConnection<T>(use: (connection: object) => Promise<T>): Promise<T>
}

function executorOf(tx: object): Executor {
  return (tx as Kysely).getExecutor()
}

/**
 * Calls `sending` before each statement of an executor and of the executors derived from it, and
 * passes the statement's text to `look`, which returns the error if it must not be sent. A text is
 * whole only here: a raw fragment inside another one, and what Kysely sends for a transaction of
 * its own, are not seen where a query is built.
 */
function watched(executor: Executor, sending: () => void, look: Look): Executor {
  const own = executor as Executor & Record<string, (...args: unknown[]) => Executor>
  for (const name of DERIVING) {
    const derive = own[name]
    if (derive === undefined) continue
    own[name] = (...args) => watched(derive.apply(own, args), sending, look)
  }
  const provide = executor.provideConnection
  executor.provideConnection = (use) =>
    provide.call(executor, async (connection) => {
      sending()
      return await use(lookedAt(connection, look))
    }) as never
  return executor
}

type Look = (text: string | undefined) => OncekeyError | undefined

/** The connection, with `look` called for each text. `this` must be Kysely's own object. */
function lookedAt(connection: object, look: Look): object {
  return new Proxy(connection, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name !== 'executeQuery' && name !== 'streamQuery') return value.bind(target)
      return (query: CompiledQuery, ...args: unknown[]): unknown => {
        const misuse = look(query.sql)
        if (misuse !== undefined) throw misuse
        return value.call(target, query, ...args)
      }
    },
  })
}

/** The methods of an executor that return another one on the same connection. */
const DERIVING = ['withPlugin', 'withPlugins', 'withPluginAtFront', 'withoutPlugins']

interface Plugin {
  transformQuery(args: { readonly node: QueryNode }): QueryNode
  transformResult(args: { readonly result: unknown }): Promise<unknown>
}

interface QueryNode {
  readonly kind: string
}

interface CompiledQuery {
  readonly sql: string
  readonly parameters: readonly unknown[]
  readonly query: QueryNode
  readonly queryId: { readonly queryId: string }
}

const RULES: HandleRules = {
  statements: { executeQuery: (query) => (query as Partial<CompiledQuery>).sql },
  refused: ['commit', 'rollback', 'startTransaction'],
  // Everything that is built with the transaction is compiled here right before it is sent.
  checked(transaction, check, look, sending) {
    const guarded = (transaction as Kysely).withPlugin({
      transformQuery({ node }) {
        check()
        return node
      },
      transformResult: async ({ result }) => result,
    })
    // `withPlugin` made an executor that only this transaction has, so no other statement is
    // watched.
    watched(executorOf(guarded), sending, look)
    return guarded
  },
}

function compiled(sql: string, parameters: readonly unknown[]): CompiledQuery {
  const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] }
  return { sql, parameters, query, queryId: { queryId: 'oncekey' } }
}

const OTHER_DIALECT = /mysql|sqlite|mssql/i

function notKysely(): OptionsError {
  return new OptionsError(
    'fromKysely: this is not a Kysely instance; its Transaction is not one. Write ' +
      'fromKysely(new Kysely({ dialect: new PostgresDialect({ pool }) })).',
  )
}

function notPostgres(adapter: string): OptionsError {
  return new OptionsError(
    `fromKysely: this Kysely is for another database (${adapter}). Write new PostgresDialect(…).`,
  )
}

function notAPool(): OptionsError {
  return new OptionsError(
    'fromKysely: pool: this is not a Pool of the package "pg". Write the one that PostgresDialect was ' +
      'given, or, for another kind of pool, poolSize alone.',
  )
}
