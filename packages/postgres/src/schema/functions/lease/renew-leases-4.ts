/**
 * Renews the leases of all attempts in one process, restores attempts that the database has lost,
 * and deletes the leases of ended attempts. Returns the tokens that still own their keys.
 *
 * A lease that has ended is not renewed while another transaction holds the key's lock: an attempt
 * of transaction mode is taking the key over, and what it wrote is not visible yet. An attempt
 * holds that lock itself while its own transaction is open ('is_open').
 */
export function renewLeases4(schema: string): string {
  const asked = `json_to_recordset(in_leases) as q (namespace text, scope text, key text,
            token text, ms bigint, fingerprint text, number integer, lock bigint, is_open boolean)`
  return `create function ${schema}.renew_leases_4(in_leases json, in_over json) returns text
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
          left join ${schema}.leases l on l.token = a.token
          where a.token = q.token
            and (q.is_open or coalesce(l.until, a.until) > clock_timestamp()
              or pg_try_advisory_xact_lock_shared(q.lock))
          order by q.token
      ), renewed as (
        insert into ${schema}.leases (token, until, lease_ms)
          select asked.token, clock_timestamp() + asked.ms * interval '1 millisecond', asked.ms
            from asked
          on conflict (token) do update set until = excluded.until, lease_ms = excluded.lease_ms
            where leases.until is not null
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
