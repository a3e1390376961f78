import { OptionsError } from '@oncekey/core'
import type { PgClient, PgPool } from '../sql/pg/pg-client.ts'
import type { SqlClient } from '../sql/sql-client.ts'
import { fromPg } from './from-pg.ts'
import { onDriver } from './on-driver.ts'
import { fromPglite, type PgliteDatabase, type PgliteTransaction } from './pglite.ts'
import { fromPostgresJs, type PostgresJs } from './postgres-js.ts'

/** The part of a Drizzle database that is used here. */
export interface DrizzleDatabase<Tx> {
  transaction<T>(callback: (tx: Tx) => Promise<T>): Promise<T>
  readonly $client: unknown
  readonly _: { readonly session: unknown }
}

/**
 * Drizzle as a client for {@link postgresStore}: a handler's `transaction()` is a Drizzle
 * transaction with the schema, casing and logger of `db`.
 *
 * For `drizzle-orm/node-postgres` on a Pool, `drizzle-orm/postgres-js` and `drizzle-orm/pglite`.
 * Drizzle's transaction runs in a transaction that the bridge of its driver opens, so what that
 * bridge documents applies here too.
 *
 * @example
 * ```ts
 * const db = drizzle({ client: new Pool({ connectionString }), schema })
 * const store = postgresStore({ client: fromDrizzle(db) })
 * // in a handler
 * const tx = await once.of(req).transaction()
 * await tx.insert(orders).values({ item })
 * ```
 */
export function fromDrizzle<Tx extends object>(db: DrizzleDatabase<Tx>): SqlClient<Tx> {
  const { $client: client, _: own } = Object(db) as DrizzleDatabase<Tx>
  const session = Object(own).session as DrizzleSession<Tx>
  const has = (name: string): boolean => typeof Reflect.get(Object(client), name) === 'function'
  if (typeof Object(session).transaction !== 'function') throw notDrizzle()

  const wrap = async (handle: object) => ({ tx: await transactionOn(session, handle) })
  const rules = { statements: {}, refused: ['rollback'], nested: ['transaction'] }
  if (has('execProtocol')) {
    return onDriver(fromPglite(client as PgliteDatabase<PgliteTransaction>), wrap, rules)
  }
  if (has('begin') && has('reserve')) {
    return onDriver(fromPostgresJs(client as PostgresJs<object>), wrap, rules)
  }
  if (has('connect') && 'totalCount' in Object(client)) {
    return onDriver(fromPg(client as PgPool<PgClient>, { prepare: false }), wrap, rules)
  }
  throw notPooled()
}

interface DrizzleSession<Tx> {
  readonly client: unknown
  transaction(callback: (tx: Tx) => Promise<never>): Promise<never>
}

/**
 * Makes a Drizzle transaction on an open transaction of its driver. Drizzle creates one only inside
 * `transaction()`, so its session gets the guarded client instead of the pool. BEGIN has been sent
 * already, and Drizzle never ends the transaction.
 */
function transactionOn<Tx>(session: DrizzleSession<Tx>, handle: object): Promise<Tx> {
  let begun = false
  const query = (...args: unknown[]): unknown => {
    if (begun) return (handle as Client).query(...args)
    begun = true
    return Promise.resolve({ rows: [] })
  }
  const inside = (callback: (client: object) => unknown): unknown => callback(handle)
  const client = { query, begin: inside, transaction: inside }
  const lent: DrizzleSession<Tx> = Object.create(session, { client: { value: client } })
  return new Promise((resolve, reject) => {
    const open = lent.transaction((tx) => {
      begun = true
      resolve(tx)
      return new Promise<never>(() => {})
    })
    open.catch(reject)
  })
}

interface Client {
  query(...args: unknown[]): unknown
}

function notDrizzle(): OptionsError {
  return new OptionsError(
    'fromDrizzle: this is not a database of Drizzle. Write fromDrizzle(db) for what drizzle(…) of ' +
      'drizzle-orm/node-postgres, drizzle-orm/postgres-js or drizzle-orm/pglite returned.',
  )
}

function notPooled(): OptionsError {
  return new OptionsError(
    'fromDrizzle: every request needs a connection of its own, and the client of this database ' +
      'cannot give one. Write drizzle({ client: new Pool(…) }) of drizzle-orm/node-postgres, or use ' +
      'drizzle-orm/postgres-js or drizzle-orm/pglite.',
  )
}
