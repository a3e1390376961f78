import { postgresStore } from '@oncekey/postgres'
import { fromTypeorm } from '@oncekey/postgres/typeorm'
import { DataSource, type EntityManager, EntitySchema } from 'typeorm'

const Order = new EntitySchema<{ id: number; item: string }>({
  name: 'orders',
  columns: { id: { type: 'int', primary: true, generated: true }, item: { type: 'text' } },
})

const url = process.env.DATABASE_URL ?? ''
export const dataSource = new DataSource({ type: 'postgres', url, entities: [Order] })
export const open = async () =>
  postgresStore({ client: fromTypeorm(await dataSource.initialize()) })

// const manager = await once.of(req).transaction()
export const place = (manager: EntityManager, item: string) => manager.save(Order, { item })
