import { fromKnex } from '@oncekey/postgres/knex'
import Knex from 'knex'
import type { Bridge, BridgeUnderTest } from './bridge.ts'

export const knexBridge: BridgeUnderTest = {
  name: 'Knex',
  async open({ url, max }) {
    const log = { warn() {}, error() {}, debug() {}, deprecate() {} }
    const knex = Knex({ client: 'pg', connection: url, pool: { min: 0, max }, log })
    const bridge: Bridge<Knex.Knex.Transaction> = {
      client: fromKnex(knex),
      insert: (trx, id) => trx('orders').insert({ id }),
      count: async (trx, id) => (await trx('orders').where({ id })).length,
      raw: async (trx, text) => (await trx.raw(text)).rows,
      later(trx, id) {
        const insert = trx('orders').insert({ id })
        return () => insert.then()
      },
      nested: (trx, work) => trx.transaction((inner) => work(inner)),
      isOwn: (trx) => trx.isTransaction === true && trx.isCompleted() === false,
      ends: (trx) => [() => trx.commit(), () => trx.rollback(), () => trx.destroy()],
      async exhaust() {
        const connections = await Promise.all(
          Array.from({ length: max }, () => knex.client.acquireConnection()),
        )
        return () => {
          for (const connection of connections) knex.client.releaseConnection(connection)
        }
      },
      end: () => knex.destroy(),
    }
    return bridge as Bridge
  },
}
