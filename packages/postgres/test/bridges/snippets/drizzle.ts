import { postgresStore } from '@oncekey/postgres'
import { fromDrizzle } from '@oncekey/postgres/drizzle'
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from 'drizzle-orm/node-postgres'
import { type PgDatabase, pgTable, serial, text } from 'drizzle-orm/pg-core'
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
type Queries = PgDatabase<NodePgQueryResultHKT, typeof schema> // `db` and `tx` alike
export const place = (tx: Queries, item: string) => tx.insert(orders).values({ item }).returning()
