/**
 * `leased_attempt` and `replace_attempt`, by which a store in transaction mode treats a key that
 * was claimed in lease mode. `replace_attempt` is an earlier version of the one in
 * `schema/functions/store/replace-attempt-2.ts`.
 */
export function leasesInTransactionMode(schema: string): string[] {
  return [
    // Returns what is known of a key that was claimed in lease mode; null for any other key. The
    // function that calls it sets enable_seqscan to off.
    `create function ${schema}.leased_attempt(in_namespace text, in_scope text, in_key text)
    returns text language plpgsql volatile as $$
    declare
      held record;
    begin
      select a.fingerprint, a.number, coalesce(l.until, a.until) as until into held
        from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
      if held.fingerprint is null then
        return null;
      end if;
      return json_build_object('state', 'leased', 'fingerprint', held.fingerprint,
        'number', held.number, 'lapsed', held.until <= clock_timestamp(),
        'since', floor(extract(epoch from held.until) * 1000));
    end $$`,

    // Takes over an attempt with an unknown outcome by deleting its row in the transaction of the
    // new attempt. If that is rolled back, the row is back and the outcome is unknown again.
    `create function ${schema}.replace_attempt(in_lock bigint, in_namespace text, in_scope text,
      in_key text, in_number integer, in_attempt text, in_backstop_ms integer)
    returns text language plpgsql volatile set enable_seqscan = off as $$
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
      return ${schema}.start_attempt(in_attempt, in_backstop_ms);
    end $$`,
  ]
}
