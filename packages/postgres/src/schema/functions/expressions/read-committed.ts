/**
 * Refuses other isolation levels: with a single snapshot, the function would not see what was
 * committed while it waited for the lock.
 */
export const READ_COMMITTED = `if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'an act on a key must see what was committed a moment ago'
          using errcode = 'serialization_failure', hint = 'Ask at READ COMMITTED.';
      end if;`
