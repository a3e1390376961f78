import type { Statement } from '../sql/sql-client.ts'

/**
 * Takes a lock so that only one migration of a schema runs at a time. It is released at the end of
 * the transaction.
 */
export function migrationLock(lock: string): Statement {
  return {
    name: 'migration_lock',
    text: 'select pg_advisory_xact_lock($1::bigint)::text',
    values: [lock],
  }
}

/** PostgreSQL 14: the first with `pg_column_compression()` and `idle_session_timeout`. */
export const OLDEST_SERVER = 140_000

/** Reads which objects of a schema exist (as text, or null) and what the server is. */
export function schemaState(schema: string): Statement<SchemaState> {
  return {
    name: 'schema_state',
    text: `
      select to_regnamespace($1::text)::text as schema,
             to_regclass($1::text || '.migrations')::text as migrations,
             current_setting('server_version') as server,
             (current_setting('server_version_num')::integer >= ${OLDEST_SERVER})::text as server_suits,
             current_setting('server_encoding') as encoding`,
    values: [schema],
  }
}

export interface SchemaState {
  schema: string | null
  migrations: string | null
  server: string
  server_suits: 'true' | 'false'
  encoding: string
}

/** The newest migration of a package that ran in a schema. */
export function schemaVersion(schema: string): (name: string) => Statement<{ version: string }> {
  return (name) => ({
    name: 'schema_version',
    text: `select coalesce(max(version), 0)::text as version from ${schema}.migrations
      where package = $1`,
    values: [name],
  })
}

/** The newest migration of every package that has migrations in the schema. */
export function schemaVersions(schema: string): Statement<{ package: string; version: string }> {
  return {
    name: 'schema_versions',
    text: `select package, max(version)::text as version from ${schema}.migrations group by package`,
    values: [],
  }
}

export function recordMigration(schema: string): (name: string, version: number) => Statement {
  return (name, version) => ({
    name: 'record_migration',
    text: `insert into ${schema}.migrations (package, version) values ($1, $2::integer)`,
    values: [name, version],
  })
}
