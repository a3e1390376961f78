import type { Statement } from '../../sql-client.ts'

/** A transaction that has a number, and has completed when this is answered. Flushes nothing. */
export function useUpNumber(): Statement {
  return { name: 'use_up_number', text: 'select pg_current_xact_id()::text', values: [] }
}
