import { OptionsError } from '@oncekey/core'
import { fromPg, type PgPool } from './from-pg.ts'
import type { SqlClient } from './sql-client.ts'

/** A `pg` Pool as it is, or what a bridge such as `fromPglite` made of another client. */
export type PostgresClient<Tx = unknown> = PgPool<Tx> | SqlClient<Tx>

/** Known by their shape, not by their class: there may be two copies of `pg` in one process. */
export function sqlClientOf<Tx>(
  client: PostgresClient<Tx>,
  options: { readonly prepare: boolean },
): SqlClient<Tx> {
  const has = (name: string): boolean => typeof Reflect.get(Object(client), name) === 'function'
  if (has('begin') && has('query') && 'poolSize' in client) return client
  if (has('connect') && 'totalCount' in client) return fromPg(client, options)
  if (has('execProtocol')) {
    throw new OptionsError(
      'client: this is a PGlite database. Write fromPglite(db), from @oncekey/postgres/pglite.',
    )
  }
  if (has('connect')) {
    throw new OptionsError(
      'client: this is a single connection, and every request needs one of its own. ' +
        'Write new Pool(…) instead of new Client(…).',
    )
  }
  throw new OptionsError(
    'client: not a client for PostgreSQL that is known here. Give a Pool of the package "pg", or ' +
      'fromPglite(db) from @oncekey/postgres/pglite.',
  )
}
