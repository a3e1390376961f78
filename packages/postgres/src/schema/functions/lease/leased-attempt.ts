import { attemptName } from '../expressions/attempt-name.ts'

/**
 * What a store in transaction mode asks about a key that was claimed in lease mode. Returns null
 * for any other key. The function that calls it sets enable_seqscan to off.
 *
 * A lease has lapsed ('lapsed') if it had ended when the statement began. So each renewal that was
 * confirmed before the end is in the snapshot, which is newer, if the statement is the first of its
 * transaction or reads at READ COMMITTED. One that was confirmed later came too late for its
 * process, which counts a lease from when it asked.
 *
 * It replaces an earlier function of the same name, because its reply only says more: how a claim
 * names the attempt ('attempt'), and whether the claim was given back while it was being committed
 * ('given_back'), so that no handler runs under it.
 */
export function namedLeasedAttempt(schema: string): string {
  return `create or replace function ${schema}.leased_attempt(in_namespace text, in_scope text,
      in_key text)
    returns text language plpgsql volatile as $$
    declare
      held record;
    begin
      select a.fingerprint, a.number, a.claimed_at, coalesce(l.until, a.until) as until,
          l.token is not null and l.until is null as is_given_back
        into held
        from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
      if held.fingerprint is null then
        return null;
      end if;
      return json_build_object('state', 'leased', 'fingerprint', held.fingerprint,
        'number', held.number, 'attempt', ${attemptName('held')},
        'given_back', held.is_given_back, 'lapsed', held.until <= statement_timestamp(),
        'since', floor(extract(epoch from held.until) * 1000));
    end $$`
}
