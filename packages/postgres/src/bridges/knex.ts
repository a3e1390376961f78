import { OptionsError } from '@oncekey/core'
import type { OutsideClient } from '../sql/pg/given-up-session.ts'
import type { PgClient } from '../sql/pg/pg-client.ts'
import type { PgSource } from '../sql/pg/pg-session.ts'
import type { SqlClient } from '../sql/sql-client.ts'
import { fromPgSource } from './from-pg.ts'
import { onDriver } from './on-driver.ts'

/** The part of a Knex that is used here; the overloads let TypeScript infer `Tx`. */
export interface KnexDatabase<Tx> {
  transaction(config?: { connection?: unknown }): Promise<Tx>
  transaction(scope?: null, config?: { connection?: unknown }): Promise<Tx>
  transaction<T>(scope: (tx: Tx) => Promise<T>): Promise<T>
  readonly client: unknown
}

/**
 * Knex with its `pg` client as a client for {@link postgresStore}: a handler's `transaction()` is a
 * `Knex.Transaction`.
 *
 * @example
 * ```ts
 * const knex = Knex({ client: 'pg', connection: process.env.DATABASE_URL })
 * const store = postgresStore({ client: fromKnex(knex) })
 * // in a handler
 * const trx = await once.of(req).transaction()
 * await trx('orders').insert({ item })
 * ```
 */
export function fromKnex<Tx extends object>(knex: KnexDatabase<Tx>): SqlClient<Tx> {
  const client = Object(knex).client as KnexClient
  if (typeof client?.acquireConnection !== 'function') throw notKnex()
  if (client.transacting === true) throw notKnex()
  if (client.driverName !== 'pg') throw notPg(client.driverName)
  if (client.pool === undefined) throw notConfigured()

  return onDriver(
    fromPgSource<PgClient>(knexSource(client), { prepare: false }),
    async (handle) => ({ tx: await knex.transaction({ connection: lent(handle) }) }),
    {
      statements: {},
      refused: ['commit', 'rollback', 'destroy'],
      nested: ['transaction', 'savepoint'],
    },
  )
}

/** The part of a Knex client that is used here. */
interface KnexClient {
  readonly driverName: string
  readonly transacting?: boolean
  readonly pool?: { readonly max?: number; numUsed?(): number }
  readonly config: { readonly connectionPool?: { readonly options?: { readonly max?: number } } }
  acquireConnection(): Promise<PgClient>
  /** Opens a connection that the pool does not know. */
  acquireRawConnection(): Promise<OutsideClient>
  releaseConnection(connection: PgClient): unknown
}

function knexSource(client: KnexClient): PgSource {
  const { pool, config } = client
  const poolSize = pool?.max ?? config.connectionPool?.options?.max ?? 10
  return {
    poolSize,
    isFull: () => (pool?.numUsed?.() ?? 0) >= poolSize,
    connect: () => client.acquireConnection(),
    release(connection, reason) {
      // Knex does not hand out a connection with this mark again.
      if (reason !== undefined) Object.assign(connection, { __knex__disposed: reason })
      client.releaseConnection(connection)
    },
    connectOutside: () => client.acquireRawConnection(),
  }
}

/**
 * The guarded client in the form of a Knex connection. Properties that Knex sets are kept on this
 * object. Knex's own BEGIN is not passed on, because BEGIN has been sent already; Knex never ends
 * the transaction.
 */
function lent(handle: PgClient): object {
  const query = handle.query as (...args: unknown[]) => unknown
  let begun = false
  return {
    query(...args: unknown[]): unknown {
      if (begun) return query(...args)
      begun = true
      const callback = args.at(-1) as (error: null, result: object) => void
      return process.nextTick(callback, null, { command: 'BEGIN', rows: [] })
    },
  }
}

function notKnex(): OptionsError {
  return new OptionsError(
    'fromKnex: this is not a Knex; its transactions are not one. Write ' +
      "fromKnex(Knex({ client: 'pg', connection })).",
  )
}

function notPg(driver: string): OptionsError {
  return new OptionsError(
    `fromKnex: this Knex uses the driver ${JSON.stringify(driver)}. Write Knex({ client: 'pg', … }).`,
  )
}

function notConfigured(): OptionsError {
  return new OptionsError(
    'fromKnex: this Knex has no pool: it was destroyed, or made without a connection. Write ' +
      "Knex({ client: 'pg', connection }).",
  )
}
