import { PGlite } from '@electric-sql/pglite'
import type { DrizzleDatabase } from '@oncekey/postgres/drizzle'
import { sql } from 'drizzle-orm'
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { drizzle as drizzleOnPglite } from 'drizzle-orm/pglite'
import { Pool } from 'pg'
import * as schema from './schema.ts'

// The part of the API that both drivers have; code that uses only this part runs on either.
type Database = PgDatabase<PgQueryResultHKT, typeof schema>
type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]

/** The server that DATABASE_URL names; otherwise embedded Postgres, in memory or in a folder. */
export const db: Database & DrizzleDatabase<Transaction> =
  process.env.DATABASE_URL === undefined ? embedded() : onServer(process.env.DATABASE_URL)

function embedded() {
  return drizzleOnPglite({ client: new PGlite(process.env.DATA_FOLDER), schema })
}

function onServer(connectionString: string) {
  const pool = new Pool({ connectionString })
  pool.on('error', console.error)
  return drizzleOnPg({ client: pool, schema })
}

/** Creates the tables, as drizzle-kit would in a real application. */
export async function createTables(): Promise<void> {
  await db.execute(
    sql`create table if not exists stock (item text primary key, "left" int not null)`,
  )
  await db.execute(sql`
    create table if not exists orders (id serial primary key, item text not null, buyer text not null)`)
  await db.insert(schema.stock).values({ item: 'violin', left: 3 }).onConflictDoNothing()
}
