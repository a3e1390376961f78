import { refuseDropped } from '../../functions/expressions/must-be-written.ts'

/**
 * Called in transaction mode. Takes over an attempt of lease mode with an unknown outcome, by
 * deleting its row in the transaction of the new attempt. If that is rolled back, the row is back
 * and the outcome is unknown again.
 *
 * Nothing is written to 'leases': one statement renews the leases of a whole process, and it would
 * wait for the end of this transaction. A renewal of the old attempt recognises the takeover by the
 * key's lock.
 */
export function replaceAttempt2(schema: string): string {
  return `create function ${schema}.replace_attempt_2(in_lock bigint, in_namespace text,
      in_scope text, in_key text, in_number integer, in_attempt text, in_backstop_ms integer)
    returns text language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '5s' as $$
    begin
      if not pg_try_advisory_xact_lock(in_lock) then
        return '{"state":"in-progress"}';
      end if;
      perform from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.number = in_number and coalesce(l.until, a.until) <= clock_timestamp()
        for no key update of a skip locked;
      if not found then
        return '{"state":"in-progress"}';
      end if;
      delete from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
      ${refuseDropped('attempts')}
      return ${schema}.start_attempt(in_attempt, in_backstop_ms);
    end $$`
}
