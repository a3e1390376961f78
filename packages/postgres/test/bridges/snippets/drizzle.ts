import { postgresStore } from '@oncekey/postgres'
import { fromDrizzle } from '@oncekey/postgres/drizzle'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { pgTable, serial, text } from 'drizzle-orm/pg-core'
import { Pool } from 'pg'

const orders = pgTable('orders', { id: serial().primaryKey(), item: text().notNull() })
const schema = { orders }

const pool = new Pool({ connectionString: process.env.DATABASE_URL })
pool.on('error', console.error)
export const db: NodePgDatabase<typeof schema> & { $client: Pool } = drizzle({
  client: pool,
  schema,
})
export const store = postgresStore({ client: fromDrizzle(db) })

// const tx = await once.of(req).transaction()
type Transaction = Parameters<Parameters<typeof db.transaction>[0]>[0]
export const place = (tx: Transaction, item: string) =>
  tx.insert(orders).values({ item }).returning()
