import { refuseDropped } from '../../functions/expressions/must-be-written.ts'

/**
 * An earlier version of `abandon_attempt_4`, for processes of an earlier release. It leaves no mark
 * for a late copy of the claim.
 */
export function abandonAttempt3(schema: string): string {
  return `create function ${schema}.abandon_attempt_3(in_token text, in_namespace text,
      in_scope text, in_key text, in_fingerprint text, in_number integer)
    returns text language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '5s' as $$
    begin
      for round in 1..2 loop
        update ${schema}.attempts a set token = null, until = clock_timestamp()
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
            and a.token = in_token;
        if found then
          return 'abandoned';
        end if;
        exit when not ${schema}.restore_attempt(in_namespace, in_scope, in_key, in_fingerprint,
          in_number, in_token, 0);
      end loop;
      perform from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token;
      ${refuseDropped('attempts', 'found')}
      perform from ${schema}.records r
        where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key
          and r.token = in_token;
      return case when found then 'stored' else 'superseded' end;
    end $$`
}
