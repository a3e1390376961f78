/**
 * Writes the row of an attempt again if the database has lost it, by a failover to a standby that
 * was behind, or because a backup was restored. It was lost if the key has no attempt and no
 * record, and if 'leases' has no mark, which taking over or releasing the attempt would have left.
 * Returns whether the row was written.
 *
 * The insert waits for a transaction that is deleting the row, so the conditions are checked before
 * the insert and again after it. Runs at READ COMMITTED only, because an older snapshot could miss
 * all of these rows.
 */
export function restoreAttemptFunction(schema: string): string {
  const isOver = `exists (
          select from ${schema}.leases l
            where l.token in (in_token, 'released:' || in_token) and l.until is null
        ) or exists (
          select from ${schema}.records r
            where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key
        )`
  return `create function ${schema}.restore_attempt(in_namespace text, in_scope text, in_key text,
      in_fingerprint text, in_number integer, in_token text, in_lease_ms bigint)
    returns boolean language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '2s' as $$
    begin
      if current_setting('transaction_isolation') <> 'read committed' or ${isOver} then
        return false;
      end if;
      insert into ${schema}.attempts (namespace, scope, key, fingerprint, number, token, until)
        values (in_namespace, in_scope, in_key, in_fingerprint, in_number, in_token,
          clock_timestamp() + in_lease_ms * interval '1 millisecond')
        on conflict on constraint attempts_pkey do nothing;
      if not found then
        return false;
      end if;
      if ${isOver} then
        delete from ${schema}.attempts a
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
        return false;
      end if;
      return true;
    end $$`
}
