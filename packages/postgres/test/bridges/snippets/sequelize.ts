import { postgresStore } from '@oncekey/postgres'
import { fromSequelize } from '@oncekey/postgres/sequelize'
import { DataTypes, Sequelize, type Transaction } from 'sequelize'

export const sequelize = new Sequelize(process.env.DATABASE_URL ?? '', { dialect: 'postgres' })
const Order = sequelize.define('Order', { item: DataTypes.TEXT }, { tableName: 'orders' })
export const store = postgresStore({ client: fromSequelize(sequelize) })

// const transaction = await once.of(req).transaction()
export const place = (transaction: Transaction, item: string) =>
  Order.create({ item }, { transaction })
