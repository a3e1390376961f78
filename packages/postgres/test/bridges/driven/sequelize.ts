import { fromSequelize } from '@oncekey/postgres/sequelize'
import { DataTypes, QueryTypes, Sequelize, Transaction } from 'sequelize'
import type { Bridge, BridgeUnderTest } from './bridge.ts'

export const sequelizeBridge: BridgeUnderTest = {
  name: 'Sequelize',
  async open({ url, max }) {
    const options = new URL(url).searchParams.get('options')
    const sequelize = new Sequelize(url, {
      dialect: 'postgres',
      pool: { max },
      logging: false,
      ...(options !== null && { dialectOptions: { options } }),
    })
    const Order = sequelize.define(
      'Order',
      { id: { type: DataTypes.TEXT, primaryKey: true } },
      { tableName: 'orders', timestamps: false },
    )
    const bridge: Bridge<Transaction> = {
      client: fromSequelize(sequelize),
      insert: (transaction, id) => Order.create({ id }, { transaction }),
      count: (transaction, id) => Order.count({ where: { id }, transaction }),
      async raw(transaction, text) {
        const type = /^select|^show/i.test(text) ? QueryTypes.SELECT : QueryTypes.RAW
        const rows = await sequelize.query(text, { transaction, type })
        return rows as unknown[]
      },
      later(transaction, id) {
        const order = Order.build({ id })
        return () => order.save({ transaction })
      },
      nested: (transaction, work) => sequelize.transaction({ transaction }, (inner) => work(inner)),
      isOwn: (transaction) => transaction instanceof Transaction,
      ends: (transaction) => [() => transaction.commit(), () => transaction.rollback()],
      async exhaust() {
        const { connectionManager: manager } = sequelize
        const taken = Array.from({ length: max }, () => manager.getConnection({ type: 'write' }))
        const connections = await Promise.all(taken)
        return () => {
          for (const connection of connections) manager.releaseConnection(connection)
        }
      },
      end: () => sequelize.close(),
    }
    return bridge as Bridge
  },
}
