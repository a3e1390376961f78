import { OptionsError } from '@oncekey/core'
import type { OutsideClient } from '../../sql/pg/given-up-session.ts'
import type { PgClient } from '../../sql/pg/pg-client.ts'
import type { PgSource } from '../../sql/pg/pg-session.ts'
import type { SqlClient } from '../../sql/sql-client.ts'
import { fromPgSource } from '../from-pg.ts'
import { onDriver, type Wrapped } from '../on-driver.ts'

/** The part of a Sequelize that is used here. */
export interface SequelizeDatabase<Tx> {
  transaction(options?: object): Promise<Tx>
  getDialect(): string
}

/**
 * Sequelize 6 on Postgres as a client for {@link postgresStore}: a handler's `transaction()` is a
 * `Transaction`. Pass it to each call of Sequelize as the option `transaction`.
 *
 * @example
 * ```ts
 * const sequelize = new Sequelize(url, { dialect: 'postgres' })
 * const store = postgresStore({ client: fromSequelize(sequelize) })
 * // in a handler
 * const transaction = await once.of(req).transaction()
 * await Order.create({ item }, { transaction })
 * ```
 */
export function fromSequelize<Tx extends object>(sequelize: SequelizeDatabase<Tx>): SqlClient<Tx> {
  const own = Object(sequelize) as Sequelize<Tx>
  const manager = own.connectionManager
  if (typeof manager?.getConnection !== 'function') throw notSequelize()
  if (sequelize.getDialect() !== 'postgres') throw notPostgres(sequelize.getDialect())
  const { Transaction } = own.constructor
  if (typeof Transaction !== 'function') throw notSequelize()

  return onDriver(
    fromPgSource<PgClient>(sequelizeSource(manager), { prepare: false }),
    async (handle) => transactionOn(new Transaction(sequelize, {}), handle),
    { statements: {}, refused: ['commit', 'rollback', 'cleanup', 'forceCleanup'] },
  )
}

interface Sequelize<Tx> {
  readonly connectionManager: ConnectionManager
  readonly constructor: {
    readonly Transaction: new (sequelize: object, options: object) => Tx
  }
}

/** The part of Sequelize's connection manager that is used here. */
interface ConnectionManager {
  /** With replication there are two, and transactions run on `write`. */
  readonly pool: SequelizePool & { readonly write?: SequelizePool }
  getConnection(options: object): Promise<PgClient>
  releaseConnection(connection: PgClient): void
  destroyConnection(connection: PgClient): Promise<void>
  readonly config: { readonly replication?: { readonly write: object } | false | null }
  /** Opens a connection that no pool knows, and calls the hooks for it. */
  _connect(config: object): Promise<OutsideClient>
}

interface SequelizePool {
  readonly maxSize: number
  readonly using: number
}

function sequelizeSource(manager: ConnectionManager): PgSource {
  const pool = manager.pool.write ?? manager.pool
  return {
    poolSize: pool.maxSize,
    isFull: () => pool.using >= pool.maxSize,
    connect: () => manager.getConnection({}),
    release(connection, reason) {
      if (reason === undefined) return manager.releaseConnection(connection)
      // Sequelize destroys one that was lost by itself, and refuses to do it twice.
      manager.destroyConnection(connection).catch(() => {})
    },
    async connectOutside() {
      const { config } = manager
      const connection = await manager._connect((config.replication || undefined)?.write ?? config)
      // When it is lost, Sequelize asks the pool of this type to destroy it.
      return Object.assign(connection, { queryType: 'write' })
    },
  }
}

/** A Transaction that has not begun by itself: its connection is the guarded client. */
function transactionOn<Tx extends object>(tx: Tx, handle: PgClient): Wrapped<Tx> {
  const own = tx as unknown as Transaction
  const query = handle.query as (...args: unknown[]) => unknown
  own.connection = { query: (...args) => query(...args), uuid: own.id }
  return {
    tx,
    async ended(how) {
      own.finished = how
      if (how === 'rollback') return
      for (const hook of own._afterCommitHooks) await hook.call(tx, tx)
    },
  }
}

interface Transaction {
  readonly id: string
  readonly _afterCommitHooks: readonly ((transaction: object) => unknown)[]
  connection: { query(...args: unknown[]): unknown; uuid: string }
  finished?: 'commit' | 'rollback'
}

function notSequelize(): OptionsError {
  return new OptionsError(
    'fromSequelize: this is not a Sequelize 6. Write fromSequelize(new Sequelize(url, ' +
      "{ dialect: 'postgres' })).",
  )
}

function notPostgres(dialect: string): OptionsError {
  return new OptionsError(
    `fromSequelize: this Sequelize uses the dialect ${JSON.stringify(dialect)}. Write ` +
      "new Sequelize(url, { dialect: 'postgres' }).",
  )
}
