import { readCommitted } from '../expressions/read-committed.ts'

/**
 * Raises 40001 at other isolation levels than READ COMMITTED. It is called by statements whose
 * functions wait for a lock and then read what its last holder has committed: above READ COMMITTED
 * everything in a statement is read in one snapshot, which is older than the lock.
 */
export function atReadCommittedFunction(schema: string): string {
  return `create function ${schema}.at_read_committed() returns boolean
    language plpgsql stable as $$
    begin
      ${readCommitted('this statement')}
      return true;
    end $$`
}
