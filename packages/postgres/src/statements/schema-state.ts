import type { Statement } from '../sql-client.ts'

/** PostgreSQL 14: the first with `pg_column_compression()` and `idle_session_timeout`. */
export const OLDEST_SERVER = 140_000

/** What is there of a schema; text, or null where it is missing. And what the server is. */
export function schemaState(schema: string): Statement<SchemaState> {
  return {
    name: 'schema_state',
    text: `
      select to_regnamespace($1::text)::text as schema,
             to_regclass($1::text || '.migrations')::text as migrations,
             current_setting('server_version') as server,
             current_setting('server_version_num')::integer >= ${OLDEST_SERVER} as server_suits,
             current_setting('server_encoding') as encoding`,
    values: [schema],
  }
}

export interface SchemaState {
  schema: string | null
  migrations: string | null
  server: string
  server_suits: boolean
  encoding: string
}
