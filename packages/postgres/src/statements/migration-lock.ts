import type { Statement } from '../sql-client.ts'

/** One migration of a schema at a time; released with the transaction. */
export function migrationLock(lock: string): Statement {
  return {
    name: 'migration_lock',
    text: 'select pg_advisory_xact_lock($1::bigint)::text',
    values: [lock],
  }
}
