import { PGlite } from '@electric-sql/pglite'
import type { Store } from '@oncekey/core'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { Pool } from 'pg'

/** What this application needs of a database and of a transaction. */
export interface Queryable {
  query<Row>(text: string, values?: unknown[]): Promise<{ rows: Row[] }>
}

interface Database {
  readonly db: Queryable
  readonly store: Store<Queryable>
}

const { DATABASE_URL: connectionString, DATA_FOLDER: folder } = process.env

/** The server that DATABASE_URL names; otherwise embedded Postgres, in memory or in a folder. */
export const { db, store } = connectionString ? await onServer(connectionString) : await embedded()
await db.query('create table if not exists orders (id serial primary key, item text not null)')

async function onServer(url: string): Promise<Database> {
  const pool = new Pool({ connectionString: url })
  pool.on('error', console.error)
  await migrate(pool) // creates the schema "oncekey"; safe to run from every process
  return { db: pool as Queryable, store: postgresStore({ client: pool }) as Store<Queryable> }
}

async function embedded(): Promise<Database> {
  const db = new PGlite(folder)
  const client = fromPglite(db)
  await migrate(client)
  return { db, store: postgresStore({ client }) }
}
