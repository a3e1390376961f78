import { PGlite } from '@electric-sql/pglite'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'

// Embedded Postgres, in memory. In AWS, a `pg` Pool with `max: 1` that is made here, once for each
// instance of the function, and `migrate` in the deployment instead.
export const db = new PGlite()
const client = fromPglite(db)
await migrate(client)
await db.query('create table orders (id serial primary key, item text not null)')

export const store = postgresStore({ client })
