import { OptionsError } from '@oncekey/core'
import type { SqlClient } from '../../sql/sql-client.ts'
import { fromKnex, type KnexDatabase } from '../knex.ts'
import { onDriver } from '../on-driver.ts'

/** The part of a MikroORM that is used here. */
export interface MikroOrm<Manager> {
  readonly em: Manager
}

/**
 * MikroORM 6 on Postgres as a client for {@link postgresStore}: a handler's `transaction()` is a
 * fork of `orm.em` in the transaction. It is flushed before COMMIT.
 *
 * @example
 * ```ts
 * const orm = await MikroORM.init({ clientUrl: process.env.DATABASE_URL, entities })
 * const store = postgresStore({ client: fromMikroOrm(orm) })
 * // in a handler
 * const em = await once.of(req).transaction()
 * em.create(Order, { item })
 * ```
 */
export function fromMikroOrm<Manager extends object>(orm: MikroOrm<Manager>): SqlClient<Manager> {
  const root = Object(orm).em as EntityManager
  if (typeof root?.getConnection !== 'function') throw notMikroOrm()
  const connection = root.getConnection('write')
  if (typeof connection?.getKnex !== 'function') throw notVersion6()

  return onDriver(
    fromKnex(connection.getKnex()),
    async (transaction) => {
      const em = root.fork({ useContext: false })
      // Stays set afterwards: a late statement meets this guard instead of going to the pool.
      em.setTransactionContext(transaction)
      return { tx: em as unknown as Manager, ending: () => em.flush() }
    },
    { statements: {}, refused: ['begin', 'commit', 'rollback'], nested: ['transactional'] },
  )
}

/** The part of an EntityManager that is used here. */
interface EntityManager {
  getConnection(type: 'write'): { getKnex(): KnexDatabase<object> }
  fork(options: { useContext: boolean }): EntityManager
  setTransactionContext(transaction: object): void
  flush(): Promise<void>
}

function notMikroOrm(): OptionsError {
  return new OptionsError(
    'fromMikroOrm: this is not a MikroORM; its EntityManager is not one. Write ' +
      'fromMikroOrm(await MikroORM.init(…)) of @mikro-orm/postgresql.',
  )
}

function notVersion6(): OptionsError {
  return new OptionsError(
    'fromMikroOrm: this MikroORM has no Knex. Use version 6 of @mikro-orm/postgresql.',
  )
}
