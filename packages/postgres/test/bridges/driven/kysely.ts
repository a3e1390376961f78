import { fromKysely } from '@oncekey/postgres/kysely'
import { CamelCasePlugin, Kysely, PostgresDialect, sql, Transaction } from 'kysely'
import type { Bridge, BridgeUnderTest } from './bridge.ts'
import { pgPool } from './pg-pool.ts'

interface Tables {
  orders: { id: string }
}

export const kysely: BridgeUnderTest = {
  name: 'Kysely',
  lacks: { nested: 'a Transaction of Kysely has no callback for a savepoint' },
  async open(options) {
    const { pool, exhaust } = pgPool(options)
    const db = new Kysely<Tables>({
      dialect: new PostgresDialect({ pool }),
      plugins: [new CamelCasePlugin()],
    })
    const bridge: Bridge<Transaction<Tables>> = {
      client: fromKysely(db, { pool }),
      insert: (tx, id) => tx.insertInto('orders').values({ id }).execute(),
      async count(tx, id) {
        const found = await tx.selectFrom('orders').where('id', '=', id).selectAll().execute()
        return found.length
      },
      raw: async (tx, text) => (await sql.raw(text).execute(tx)).rows,
      later(tx, id) {
        const insert = tx.insertInto('orders').values({ id })
        return () => insert.execute()
      },
      isOwn: (tx) => tx instanceof Transaction && tx.isTransaction,
      ends: (tx) => [() => tx.destroy()],
      exhaust,
      end: () => db.destroy(),
    }
    return bridge as Bridge
  },
}
