import { PGlite } from '@electric-sql/pglite'
import { migrate } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'

// Next.js bundles this file into every route and into instrumentation.ts, so what they share is
// kept outside the bundles.
const shared = globalThis as { db?: PGlite }
shared.db ??= new PGlite(process.env.DATA_FOLDER)

/** Embedded Postgres, in memory or in a folder. On a server, use a `pg` Pool instead. */
export const db: PGlite = shared.db
export const client = fromPglite(db)

export async function prepareDatabase(): Promise<void> {
  await migrate(client)
  await db.query('create table if not exists orders (id serial primary key, item text not null)')
}
