import { attemptName } from '../expressions/attempt-name.ts'
import { refuseDropped } from '../expressions/must-be-written.ts'
import { markReplaced } from '../expressions/replaced.ts'

/**
 * Called in transaction mode. Takes over the attempt of lease mode with this name if its outcome is
 * unknown, by deleting its row in the transaction of the new attempt. If that is rolled back, the
 * row is back and the outcome is unknown again. Of the reply 'in-progress' the caller has to roll
 * back, too: the row may be deleted by then.
 *
 * No row of 'leases' that a renewal writes is touched: one statement renews the leases of a whole
 * process, and it would wait for the end of this transaction. A renewal that is being committed is
 * not seen either; see 'leased_attempt'. A renewal that comes later recognises the takeover by the
 * key's lock.
 *
 * 'lock_timeout' limits the wait for whoever is ending the attempt, or giving it back, right now.
 */
export function replaceAttempt3(schema: string): string {
  const isMeant = `a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and ${attemptName('a')} = in_name`
  return `create function ${schema}.replace_attempt_3(in_lock bigint, in_namespace text,
      in_scope text, in_key text, in_name text, in_attempt text, in_backstop_ms integer)
    returns text language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '1s' as $$
    declare
      held record;
      renewed timestamptz;
    begin
      if not pg_try_advisory_xact_lock(in_lock) then
        return '{"state":"in-progress"}';
      end if;
      delete from ${schema}.attempts a where ${isMeant} returning a.token, a.until into held;
      if not found then
        perform from ${schema}.attempts a where ${isMeant};
        ${refuseDropped('attempts', 'found')}
        return '{"state":"in-progress"}';
      end if;
      select l.until into renewed from ${schema}.leases l where l.token = held.token;
      if coalesce(renewed, held.until) > statement_timestamp() then
        return '{"state":"in-progress"}';
      end if;
      ${markReplaced(schema, 'held.token')}
      return ${schema}.start_attempt(in_attempt, in_backstop_ms);
    end $$`
}
