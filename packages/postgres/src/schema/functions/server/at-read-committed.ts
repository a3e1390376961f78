import { readCommitted } from '../expressions/read-committed.ts'

/**
 * Raises 40001 at other isolation levels than READ COMMITTED. It is called by statements whose
 * functions wait for a lock and then read what its last holder has committed: above READ COMMITTED
 * everything in a statement is read in one snapshot, which is older than the lock.
 * What locks a row of a relay, a slot or a consumer calls it, too, for the limit.
 *
 * Where the session's default is another level, such a statement is sent in a transaction, and
 * COMMIT follows when its reply has arrived. A host that freezes in between would keep the rows
 * locked for as long as its connection exists: relays take a locked row of another for one that is
 * being renewed. So the server ends a transaction that has called this function and is idle for 10
 * seconds, or for a shorter limit of the role or database. In autocommit that never happens.
 * Although it sets that, it is STABLE: so it runs once, before all else in the statement.
 */
export function atReadCommittedFunction(schema: string): string {
  return `create function ${schema}.at_read_committed() returns boolean
    language plpgsql stable as $$
    declare
      own_limit text := current_setting('idle_in_transaction_session_timeout');
    begin
      ${readCommitted('this statement')}
      if own_limit = '0' or own_limit::interval > interval '10 seconds' then
        perform set_config('idle_in_transaction_session_timeout', '10s', true);
      end if;
      return true;
    end $$`
}
