import { PGlite } from '@electric-sql/pglite'
import { migrate } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'

/** Embedded, in memory or in a folder; a `pg` Pool takes its place on a server. */
export const db = new PGlite(process.env.DATA_FOLDER)
export const client = fromPglite(db)
await migrate(client)
await db.query('create table if not exists orders (id serial primary key, item text not null)')
