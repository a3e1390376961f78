/** An earlier version of `refuse_4`, for processes of an earlier release. */
export function refuseFunction3(schema: string): string {
  return `create function ${schema}.refuse_3(in_lock bigint, in_namespace text, in_scope text,
      in_key text, in_fingerprint text, in_status integer, in_headers text, in_body bytea,
      in_seal text, in_replaced integer)
    returns text language plpgsql volatile set enable_seqscan = off set lock_timeout = '5s' as $$
    begin
      if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a refusal must see what was committed a moment ago'
          using errcode = 'serialization_failure', hint = 'Ask at READ COMMITTED.';
      end if;
      if not pg_try_advisory_xact_lock(in_lock) then
        begin
          perform set_config('lock_timeout', '500ms', true);
          perform pg_advisory_xact_lock(in_lock);
        exception when lock_not_available then
          return 'superseded';
        end;
      end if;
      perform from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
      if found then
        delete from ${schema}.attempts a
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
            and a.number = in_replaced
            and coalesce((select l.until from ${schema}.leases l where l.token = a.token), a.until)
              <= clock_timestamp();
        if not found then
          return 'superseded';
        end if;
      end if;
      insert into ${schema}.records
          (namespace, scope, key, fingerprint, status, headers, body, seal)
        values (in_namespace, in_scope, in_key, in_fingerprint, in_status, in_headers, in_body,
          in_seal)
        on conflict on constraint records_pkey do nothing;
      return case when found then 'stored' else 'superseded' end;
    end $$`
}
