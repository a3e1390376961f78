import { PGlite } from '@electric-sql/pglite'
import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common'
import type { Store } from '@oncekey/core'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { Pool } from 'pg'

/** The interface that this application needs of a database and of a transaction. */
export interface Queryable {
  query<Row>(text: string, values?: unknown[]): Promise<{ rows: Row[] }>
}

/** The database, and the store that commits a response with the writes of its handler. */
export interface Database {
  readonly db: Queryable
  readonly store: Store<Queryable>
  close(): Promise<void>
}

export const DATABASE = 'DATABASE'

@Module({ providers: [{ provide: DATABASE, useFactory: open }], exports: [DATABASE] })
export class DatabaseModule implements OnApplicationShutdown {
  readonly #database: Database

  constructor(@Inject(DATABASE) database: Database) {
    this.#database = database
  }

  /** Comes when running requests have finished and the server is closed. */
  async onApplicationShutdown(): Promise<void> {
    await this.#database.close()
  }
}

/**
 * Uses the server that DATABASE_URL names; otherwise embedded Postgres, in memory or in a folder.
 */
async function open(): Promise<Database> {
  const { DATABASE_URL: connectionString, DATA_FOLDER: folder } = process.env
  const database = connectionString ? await onServer(connectionString) : await embedded(folder)
  await database.db.query(
    'create table if not exists orders (id serial primary key, item text not null)',
  )
  return database
}

async function onServer(connectionString: string): Promise<Database> {
  const pool = new Pool({ connectionString })
  pool.on('error', console.error)
  await migrate(pool) // creates the schema "oncekey"; safe to run from every process
  const store = postgresStore({ client: pool }) as Store<Queryable>
  return { db: pool as Queryable, store, close: () => pool.end() }
}

async function embedded(folder: string | undefined): Promise<Database> {
  const db = new PGlite(folder)
  const client = fromPglite(db)
  await migrate(client)
  return { db, store: postgresStore({ client }), close: () => db.close() }
}
