/**
 * Refuses other isolation levels: with a single snapshot, the function would not see what was
 * committed while it waited for the lock.
 */
export function readCommitted(what: string): string {
  return `if current_setting('transaction_isolation') <> 'read committed' then
        raise exception '${what} must see what was committed a moment ago'
          using errcode = 'serialization_failure', hint = 'Ask at READ COMMITTED.';
      end if;`
}

export const READ_COMMITTED: string = readCommitted('an act on a key')
