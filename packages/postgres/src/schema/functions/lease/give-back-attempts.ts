import { REFUSE_READ_ONLY } from '../expressions/takes-writes.ts'

/**
 * Undoes claims whose replies were lost, so that their handlers will not run. If such a claim took
 * over an attempt with an unknown outcome, that outcome is unknown again.
 *
 * A claim may still be on its way to the server. So its token is marked, and a claim with a marked
 * token wins nothing when it arrives. A claim that runs at this moment shares the key's advisory
 * lock. If this function cannot get the lock exclusively, that claim may have missed the mark and
 * commit in a moment; its token is not among those returned, and the caller gives it back once
 * more.
 *
 * Runs at READ COMMITTED only, because an older snapshot could miss a recent claim. The tokens are
 * processed in order, so that two calls do not deadlock. Each key takes a lock, of which all
 * sessions share some thousands.
 */
export function giveBackAttemptsFunction(schema: string): string {
  return `create function ${schema}.give_back_attempts(in_claims json) returns text
    language plpgsql volatile set enable_seqscan = off set jit = off set lock_timeout = '5s' as $$
    declare
      each record;
      given_back text[] := '{}';
    begin
      ${REFUSE_READ_ONLY}
      if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a claim that is given back may have been committed a moment ago'
          using errcode = 'serialization_failure', hint = 'Ask at READ COMMITTED.';
      end if;
      for each in
        select q.*, pg_try_advisory_xact_lock(q.lock) as is_alone
          from json_to_recordset(in_claims)
            as q (lock bigint, namespace text, scope text, key text, token text)
          order by q.token
      loop
        delete from ${schema}.attempts a
          where a.namespace = each.namespace and a.scope = each.scope and a.key = each.key
            and a.token = each.token and a.number = 1;
        update ${schema}.attempts a set token = null, until = clock_timestamp()
          where a.namespace = each.namespace and a.scope = each.scope and a.key = each.key
            and a.token = each.token;
        -- Behind the attempt's row: whoever takes an attempt over writes the two in this order.
        insert into ${schema}.leases (token, until) values (each.token, null)
          on conflict (token) do update set until = null where leases.until is not null;
        if each.is_alone then
          given_back := given_back || each.token;
        end if;
      end loop;
      return array_to_json(given_back)::text;
    end $$`
}
