import { OptionsError } from '@oncekey/core'
import type { PgClient, PgPool } from '../sql/pg/pg-client.ts'
import type { SqlClient } from '../sql/sql-client.ts'
import { fromPg } from './from-pg.ts'
import { onDriver } from './on-driver.ts'

/** The part of a TypeORM DataSource that is used here. */
export interface TypeormDataSource<Manager> {
  readonly manager: Manager
  readonly isInitialized: boolean
  readonly driver: unknown
  createQueryRunner(mode: 'master'): unknown
}

/**
 * An initialized TypeORM DataSource on Postgres as a client for {@link postgresStore}: a handler's
 * `transaction()` is an `EntityManager` in the transaction. Subscribers are notified of its start
 * and end.
 *
 * @example
 * ```ts
 * const dataSource = await new DataSource({ type: 'postgres', url, entities }).initialize()
 * const store = postgresStore({ client: fromTypeorm(dataSource) })
 * // in a handler
 * const manager = await once.of(req).transaction()
 * await manager.insert(Order, { item })
 * ```
 */
export function fromTypeorm<Manager extends object>(
  dataSource: TypeormDataSource<Manager>,
): SqlClient<Manager> {
  if (typeof dataSource?.createQueryRunner !== 'function') throw notTypeorm()
  const { master } = Object(dataSource.driver) as { master?: PgPool<PgClient> }
  if (!dataSource.isInitialized) throw notInitialized()
  if (master === undefined || !('totalCount' in master)) throw notPostgres()

  return onDriver(
    fromPg(master, { prepare: false }),
    async (handle) => {
      const runner = dataSource.createQueryRunner('master') as QueryRunner<Manager>
      const connection = lent(handle)
      runner.databaseConnection = connection
      await runner.startTransaction()
      connection.started()
      return {
        tx: runner.manager,
        ending: () => runner.broadcaster.broadcast('BeforeTransactionCommit'),
        ended(how) {
          runner.isTransactionActive = false
          return runner.broadcaster.broadcast(
            how === 'commit' ? 'AfterTransactionCommit' : 'AfterTransactionRollback',
          )
        },
      }
    },
    { statements: {}, refused: ['release'], nested: ['transaction'] },
  )
}

/** The part of a TypeORM QueryRunner for Postgres that is used here. */
interface QueryRunner<Manager> {
  readonly manager: Manager
  isTransactionActive: boolean
  /**
   * The connection that the runner queries; if it is not set, the runner takes a client from the
   * pool.
   */
  databaseConnection: unknown
  readonly broadcaster: { broadcast(event: string): Promise<void> }
  startTransaction(): Promise<void>
}

/**
 * The guarded client in the form that TypeORM uses. START TRANSACTION, and an isolation level right
 * after it, are not passed on, because both have been sent already. They are recognised by their
 * text, because releases count the open transaction at different moments: 0.3.20 before it sends
 * them, later ones afterwards.
 */
function lent(handle: PgClient): { query(...args: unknown[]): unknown; started(): void } {
  const query = handle.query as (...args: unknown[]) => unknown
  let isStarting = true
  return {
    query(...args) {
      if (!isStarting || !STARTS.test(String(args[0]))) return query(...args)
      return Promise.resolve({ rows: [], rowCount: null, command: 'BEGIN' })
    },
    started() {
      isStarting = false
    },
  }
}

const STARTS = /^(?:START TRANSACTION$|SET TRANSACTION ISOLATION LEVEL )/

function notTypeorm(): OptionsError {
  return new OptionsError(
    'fromTypeorm: this is not a DataSource of TypeORM. Write fromTypeorm(dataSource) for what ' +
      "new DataSource({ type: 'postgres', … }) returned.",
  )
}

function notInitialized(): OptionsError {
  return new OptionsError(
    'fromTypeorm: this DataSource has no pool yet. Write fromTypeorm(await dataSource.initialize()).',
  )
}

function notPostgres(): OptionsError {
  return new OptionsError(
    "fromTypeorm: this DataSource is not for Postgres. Write new DataSource({ type: 'postgres', … }).",
  )
}
