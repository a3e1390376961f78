/**
 * Returns which of the attempts that a process waits for are over: ended, taken over, or past their
 * lease without an open transaction. The number 0 stands for a transaction that holds the key and
 * has no attempt's row.
 *
 * An open transaction holds the key's advisory lock, so the function tries that lock. A lock that
 * it gets stays held until the statement ends, and all sessions share one lock table. So at most
 * 'in_most' results are returned, which limits the locks held at once. A caller that gets that many
 * asks again.
 */
export function endedAttempts2(schema: string): string {
  return `create function ${schema}.ended_attempts_2(in_attempts json, in_most integer) returns text
    language plpgsql volatile set enable_seqscan = off as $$
    declare
      each record;
      ended text[] := '{}';
    begin
      for each in
        select q.id, q.lock, a.number is distinct from nullif(q.number, 0) as is_another,
            coalesce(l.until, a.until) > clock_timestamp() as is_leased
          from json_to_recordset(in_attempts)
            as q (id text, lock bigint, namespace text, scope text, key text, number integer)
          left join ${schema}.attempts a
            on a.namespace = q.namespace and a.scope = q.scope and a.key = q.key
          left join ${schema}.leases l on l.token = a.token
      loop
        if each.is_another
          or (each.is_leased is not true and pg_try_advisory_xact_lock_shared(each.lock))
        then
          ended := ended || each.id;
          exit when cardinality(ended) >= in_most;
        end if;
      end loop;
      return array_to_json(ended)::text;
    end $$`
}
