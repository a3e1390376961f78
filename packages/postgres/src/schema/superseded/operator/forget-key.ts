import { READ_COMMITTED } from '../../functions/expressions/read-committed.ts'

/** The first version of `forget_key_3`, for processes of an earlier release. */
export function forgetKeyFunction(schema: string): string {
  return `create function ${schema}.forget_key(in_lock bigint, in_namespace text, in_scope text,
      in_key text, in_fingerprint text, in_actor text, in_act text, in_target text, in_note text)
    returns text language plpgsql volatile set enable_seqscan = off set lock_timeout = '1s' as $$
    declare
      held record;
      kept record;
    begin
      ${READ_COMMITTED}
      begin
        perform pg_advisory_xact_lock(in_lock);
      exception when lock_not_available then
        return 'running';
      end;
      select r.fingerprint, r.status, r.completed_at into kept from ${schema}.records r
        where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
      if kept.fingerprint is null then
        select coalesce(l.until, a.until) as until into held
          from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
        return case when not found then 'absent' when held.until > clock_timestamp() then 'running'
          else 'unknown' end;
      end if;
      if kept.fingerprint <> in_fingerprint then
        return 'other-request';
      end if;
      delete from ${schema}.records r
        where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
      if not found then
        return 'absent';
      end if;
      insert into ${schema}.operations (actor, act, target, note, detail)
        values (in_actor, in_act, in_target, in_note, jsonb_build_object(
          'fingerprint', kept.fingerprint, 'status', kept.status,
          'completedAt', kept.completed_at));
      return 'done';
    end $$`
}
