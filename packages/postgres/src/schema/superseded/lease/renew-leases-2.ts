/** An earlier version of `renew_leases_4`, for processes of an earlier release. */
export function renewLeases2(schema: string): string {
  const asked = `json_to_recordset(in_leases) as q (namespace text, scope text, key text,
            token text, ms bigint, fingerprint text, number integer)`
  return `create function ${schema}.renew_leases_2(in_leases json, in_over json) returns text
    language plpgsql volatile set enable_seqscan = off set jit = off set lock_timeout = '2s' as $$
    declare
      held text;
    begin
      perform ${schema}.restore_attempt(q.namespace, q.scope, q.key, q.fingerprint, q.number,
            q.token, q.ms)
        from (select q.* from ${asked}
            left join ${schema}.attempts a
              on a.namespace = q.namespace and a.scope = q.scope and a.key = q.key
            where a.key is null
            order by q.token
            offset 0) q;
      with asked as materialized (
        select q.token, q.ms from ${asked}
          join ${schema}.attempts a
            on a.namespace = q.namespace and a.scope = q.scope and a.key = q.key
          where a.token = q.token
          order by q.token
      ), renewed as (
        insert into ${schema}.leases (token, until)
          select asked.token, clock_timestamp() + asked.ms * interval '1 millisecond' from asked
          on conflict (token) do update set until = excluded.until where leases.until is not null
          returning token
      )
      select json_agg(renewed.token)::text into held from renewed;
      if in_over is not null then
        delete from ${schema}.leases l
          where l.token in (select json_array_elements_text(in_over)) and l.until is not null;
      end if;
      return coalesce(held, '[]');
    end $$`
}
