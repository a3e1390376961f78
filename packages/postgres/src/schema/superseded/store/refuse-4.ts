import { refuseDropped } from '../../functions/expressions/must-be-written.ts'

/**
 * Stores a refusal after the handler's writes were rolled back. The rollback released the key's
 * lock. Claims that waited for the lock hold it for an instant only; whoever holds it longer is the
 * next attempt, which will write the record, so this function returns `superseded`.
 *
 * An attempt in lease mode holds no lock while it runs but has a row. That row is looked up with
 * the lock held, so that no such attempt can begin in between. If this attempt had taken over
 * another one (`in_replaced`), the row of that one came back with the rollback, and is deleted with
 * the refusal.
 *
 * At an isolation level other than READ COMMITTED everything would be read in one snapshot from
 * before the wait for the lock. So if the session's default is another level, a serialization
 * failure is raised.
 *
 * 'lock_timeout' limits the wait for a locked table.
 */
export function refuseFunction4(schema: string): string {
  return `create function ${schema}.refuse_4(in_lock bigint, in_namespace text, in_scope text,
      in_key text, in_fingerprint text, in_status integer, in_headers text, in_body bytea,
      in_seal text, in_replaced integer)
    returns text language plpgsql volatile
      set enable_seqscan = off set jit = off set lock_timeout = '5s' as $$
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
      if found then
        return 'stored';
      end if;
      perform from ${schema}.records r
        where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
      ${refuseDropped('records')}
      return 'superseded';
    end $$`
}
