import { EntitySchema, MikroORM, type SqlEntityManager } from '@mikro-orm/postgresql'
import { postgresStore } from '@oncekey/postgres'
import { fromMikroOrm } from '@oncekey/postgres/mikro-orm'

const Order = new EntitySchema<{ id: number; item: string }>({
  name: 'Order',
  tableName: 'orders',
  properties: { id: { type: 'number', primary: true }, item: { type: 'text' } },
})

const clientUrl = process.env.DATABASE_URL ?? ''
export const orm = await MikroORM.init({ clientUrl, entities: [Order] })
export const store = postgresStore({ client: fromMikroOrm(orm) })

// const em = await once.of(req).transaction()
export const place = (em: SqlEntityManager, item: string) => em.create(Order, { item })
