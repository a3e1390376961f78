/**
 * `leased_attempt` and `replace_attempt`: what a store in transaction mode does about a key that is
 * claimed in lease mode. The present form of the second is in
 * `schema/functions/store/replace-attempt-2.ts`.
 */
export function leasesInTransactionMode(schema: string): string[] {
  return [
    // What a store in transaction mode sees of a key that is claimed in lease mode; null where it
    // is not. Called where seqscan is off.
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

    // In transaction mode an attempt whose outcome is unknown is taken over by taking it away, in
    // the transaction of the new one: undone with it, it is as unknown as it was.
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
