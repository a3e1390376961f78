import { OptionsError } from '@oncekey/core'
import type { PgClient, PgPool } from '../../sql/pg/pg-client.ts'
import type { SqlClient } from '../../sql/sql-client.ts'
import { fromPg } from '../from-pg.ts'
import { onDriver, type Wrapped } from '../on-driver.ts'
import { lendTo } from './lent-clients.ts'

/** The part of a pg-promise database that is used here. */
export interface PgPromiseDatabase<Tx> {
  tx<T>(callback: (t: Tx) => T | Promise<T>): Promise<T>
  tx<T>(tag: string | number, callback: (t: Tx) => T | Promise<T>): Promise<T>
  tx<T>(options: object, callback: (t: Tx) => T | Promise<T>): Promise<T>
  readonly $pool: unknown
}

/**
 * pg-promise as a client for {@link postgresStore}: a handler's `transaction()` is an `ITask`, with
 * the extensions of the database.
 *
 * @example
 * ```ts
 * const db = pgPromise()(process.env.DATABASE_URL)
 * const store = postgresStore({ client: fromPgPromise(db) })
 * // in a handler
 * const t = await once.of(req).transaction()
 * await t.none('insert into orders (item) values ($1)', [item])
 * ```
 */
export function fromPgPromise<Tx extends object>(db: PgPromiseDatabase<Tx>): SqlClient<Tx> {
  const pool = Object(db).$pool as PgPool<PgClient>
  if (typeof db?.tx !== 'function' || typeof pool?.connect !== 'function') throw notPgPromise()
  if (!('totalCount' in pool)) throw notPgPromise()

  return onDriver(fromPg(pool, { prepare: false }), (handle) => transactionOn(db, pool, handle), {
    statements: {},
    refused: [],
    nested: ['tx', 'txIf', 'task', 'taskIf'],
  })
}

/** pg-promise makes a transaction only inside `tx()`, on a client of its pool. */
function transactionOn<Tx extends object>(
  db: PgPromiseDatabase<Tx>,
  pool: PgPool<PgClient>,
  handle: PgClient,
): Promise<Wrapped<Tx>> {
  return new Promise((resolve, reject) => {
    lendTo(pool, handle, (client) => {
      const open = (tx: Tx): Promise<void> => {
        client.begun()
        return new Promise((end) => {
          const over = (): void => {
            client.over(end)
          }
          resolve({ tx, over })
        })
      }
      db.tx(open).catch(reject)
    })
  })
}

function notPgPromise(): OptionsError {
  return new OptionsError(
    'fromPgPromise: this is not a database of pg-promise; its tasks are not one. Write ' +
      'fromPgPromise(pgPromise()(connection)).',
  )
}
