/**
 * What a store in transaction mode asks about a key that was claimed in lease mode. Returns null
 * for any other key. The function that calls it sets enable_seqscan to off.
 */
export function leasedAttemptFunction(schema: string): string {
  return `create function ${schema}.leased_attempt(in_namespace text, in_scope text, in_key text)
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
    end $$`
}
