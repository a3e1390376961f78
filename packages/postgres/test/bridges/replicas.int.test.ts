import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { MikroORM, EntitySchema as MikroSchema, type SqlEntityManager } from '@mikro-orm/postgresql'
import { postgresStore } from '@oncekey/postgres'
import type { SqlClient } from '@oncekey/postgres/client'
import { fromDrizzle } from '@oncekey/postgres/drizzle'
import { fromMikroOrm } from '@oncekey/postgres/mikro-orm'
import { fromSequelize } from '@oncekey/postgres/sequelize'
import { fromTypeorm } from '@oncekey/postgres/typeorm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text, withReplicas } from 'drizzle-orm/pg-core'
import { DataTypes, Sequelize, type Transaction } from 'sequelize'
import { DataSource, type EntityManager } from 'typeorm'
import { expect, onTestFinished, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { Order } from './driven/typeorm.ts'

interface Replicated<Tx> {
  readonly client: SqlClient<Tx>
  insert(tx: Tx, id: string): Promise<unknown>
  /** How many orders there are, read in the transaction. */
  count(tx: Tx): Promise<number>
  /** The same outside of it, which the library asks a replica for. */
  countOutside(): Promise<number>
  end(): Promise<unknown>
}

type Open = (primary: string, replica: string) => Promise<Replicated<unknown>>

const database = testDatabase()

const open: Readonly<Record<string, Open>> = {
  async TypeORM(primary, replica) {
    const source = new DataSource({
      type: 'postgres',
      replication: { master: { url: primary }, slaves: [{ url: replica }] },
      entities: [Order],
      installExtensions: false,
    })
    await source.initialize()
    const made: Replicated<EntityManager> = {
      client: fromTypeorm(source),
      insert: (manager, id) => manager.insert(Order, { id }),
      count: (manager) => manager.count(Order),
      countOutside: () => source.manager.count(Order),
      end: () => source.destroy(),
    }
    return made as Replicated<unknown>
  },

  async Sequelize(primary, replica) {
    const { hostname, port, username, password } = new URL(primary)
    const on = (url: string) => ({
      host: hostname,
      port,
      username,
      password,
      database: new URL(url).pathname.slice(1),
    })
    const sequelize = new Sequelize('', username, password, {
      dialect: 'postgres',
      replication: { write: on(primary), read: [on(replica)] },
      logging: false,
    })
    const Model = sequelize.define(
      'Order',
      { id: { type: DataTypes.TEXT, primaryKey: true } },
      { tableName: 'orders', timestamps: false },
    )
    const made: Replicated<Transaction> = {
      client: fromSequelize(sequelize),
      insert: (transaction, id) => Model.create({ id }, { transaction }),
      count: (transaction) => Model.count({ transaction }),
      countOutside: () => Model.count(),
      end: () => sequelize.close(),
    }
    return made as Replicated<unknown>
  },

  async MikroORM(primary, replica) {
    const Entity = new MikroSchema<{ id: string }>({
      name: 'Order',
      tableName: 'orders',
      properties: { id: { type: 'text', primary: true } },
    })
    const orm = await MikroORM.init({
      clientUrl: primary,
      dbName: new URL(primary).pathname.slice(1),
      replicas: [{ clientUrl: replica, dbName: new URL(replica).pathname.slice(1) }],
      entities: [Entity],
      logger: () => {},
    })
    const made: Replicated<SqlEntityManager> = {
      client: fromMikroOrm(orm),
      insert: (em, id) => em.insert(Entity, { id }),
      count: (em) => em.count(Entity),
      countOutside: () => orm.em.fork().count(Entity),
      end: () => orm.close(true),
    }
    return made as Replicated<unknown>
  },

  async Drizzle(primary, replica) {
    const orders = pgTable('orders', { id: text().primaryKey() })
    const pools = [primary, replica].map((url) => database.pool({ connectionString: url }))
    const [one, other] = pools.map((pool) => drizzle({ client: pool }))
    if (one === undefined || other === undefined) throw new Error('There are two pools.')
    const db = withReplicas(one, [other])
    type Tx = Parameters<Parameters<typeof one.transaction>[0]>[0]
    const made: Replicated<Tx> = {
      client: fromDrizzle<Tx>(db),
      insert: (tx, id) => tx.insert(orders).values({ id }),
      count: async (tx) => (await tx.select().from(orders)).length,
      countOutside: async () => (await db.select().from(orders)).length,
      end: async () => {},
    }
    return made as Replicated<unknown>
  },
}

test.each(Object.entries(open))(
  'with replicas in %s the store and the transaction use the primary, for reads too',
  async (_, make) => {
    // A database without our tables, so that whatever is sent to it fails.
    const replica = Object.assign(new URL(database.url()), { pathname: '/postgres' }).href
    const made = await make(database.url(), replica)
    onTestFinished(async () => void (await made.end()))
    await database.query('delete from orders')
    const missing = await made.countOutside().catch((error: Error) => error)
    expect(inspect(missing)).toContain('relation "orders" does not exist')

    const store = postgresStore({ client: made.client })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    const tx = await attempt.transaction()
    const id = randomUUID()
    await made.insert(tx, id)
    expect(await made.count(tx)).toBe(1)
    await attempt.complete(kept('done'))
    expect(await database.hasOrder(id)).toBe(true)
    expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
  },
)
