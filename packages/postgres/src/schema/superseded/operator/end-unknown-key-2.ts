import { READ_COMMITTED } from '../../functions/expressions/read-committed.ts'

/** An earlier version of `end_unknown_key_3`, for processes of an earlier release. */
export function endUnknownKey2(schema: string): string {
  return `create function ${schema}.end_unknown_key_2(in_lock bigint, in_namespace text,
      in_scope text, in_key text, in_actor text, in_act text, in_target text, in_note text,
      in_status integer, in_headers text, in_body bytea, in_seal text)
    returns text language plpgsql volatile set enable_seqscan = off set jit = off
    set lock_timeout = '1s' as $$
    declare
      held record;
      kept record;
    begin
      ${READ_COMMITTED}
      begin
        perform pg_advisory_xact_lock(in_lock);
        select a.fingerprint, a.number, a.token, a.claimed_at, coalesce(l.until, a.until) as until
          into held
          from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          for update of a;
      exception when lock_not_available then
        return 'running';
      end;
      if held.fingerprint is null then
        select r.body is null as is_gone into kept from ${schema}.records r
          where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
        return case when not found then 'absent' when kept.is_gone then 'result-gone'
          else 'finished' end;
      end if;
      if held.until > clock_timestamp() then
        return 'running';
      end if;
      if held.token is not null then
        insert into ${schema}.leases (token, until) values (held.token, null)
          on conflict (token) do update set until = null
            where leases.until is null or leases.until <= clock_timestamp();
        if not found then
          return 'running';
        end if;
      end if;

      delete from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
      if in_status is not null then
        insert into ${schema}.records
            (namespace, scope, key, fingerprint, status, headers, body, seal)
          values (in_namespace, in_scope, in_key, held.fingerprint, in_status, in_headers, in_body,
            in_seal);
      end if;
      perform ${schema}.audit(in_actor, in_act, in_target, in_note,
        jsonb_strip_nulls(jsonb_build_object(
          'fingerprint', held.fingerprint, 'attempts', held.number,
          'claimedAt', held.claimed_at, 'unknownSince', held.until, 'status', in_status)));
      return 'done';
    end $$`
}
