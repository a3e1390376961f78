import { PGlite } from '@electric-sql/pglite'
import type { PostgresClient } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { Pool } from 'pg'

/** The type of a transaction on both databases, so that the code of the shop runs on either. */
export interface Tx {
  query<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<{ rows: Row[] }>
}

export interface Database {
  readonly client: PostgresClient<Tx>
  query: Tx['query']
  close(): Promise<void>
}

/**
 * The Postgres that `DATABASE_URL` names, otherwise PGlite in a folder, for one process at a time.
 */
export function openDatabase({
  url,
  folder,
}: {
  url: string | undefined
  folder: string
}): Database {
  if (url !== undefined) {
    const pool = new Pool({ connectionString: url, max: 16 })
    pool.on('error', (error) => console.error(error.message))
    return {
      client: pool as unknown as PostgresClient<Tx>,
      query: async <Row>(text: string, values: unknown[] = []) => ({
        rows: (await pool.query(text, values)).rows as Row[],
      }),
      close: () => pool.end(),
    }
  }
  const db = new PGlite(folder)
  return {
    client: fromPglite(db) as unknown as PostgresClient<Tx>,
    query: <Row>(text: string, values: unknown[] = []) => db.query<Row>(text, values),
    close: () => db.close(),
  }
}

export const TABLES = [
  `create table if not exists orders (
    id text primary key, customer text not null, item text not null, cents integer not null,
    card text not null, address text not null, state text not null)`,
  'create table if not exists stock (item text primary key, left_over integer not null)',
  `insert into stock values ('kettle', 1000) on conflict do nothing`,
]
