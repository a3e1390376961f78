import { postgresStore } from '@oncekey/postgres'
import { fromKysely } from '@oncekey/postgres/kysely'
import { type Generated, Kysely, PostgresDialect, type Transaction } from 'kysely'
import { Pool } from 'pg'

interface Tables {
  orders: { id: Generated<number>; item: string }
}

const pool = new Pool({ connectionString: process.env.DATABASE_URL })
pool.on('error', console.error)
export const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
export const store = postgresStore({ client: fromKysely(db, { pool }) })

// const tx = await once.of(req).transaction()
export const place = (tx: Transaction<Tables>, item: string) =>
  tx.insertInto('orders').values({ item }).returningAll().execute()
