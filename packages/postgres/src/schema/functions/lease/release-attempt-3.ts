import { refuseDropped } from '../expressions/must-be-written.ts'

/**
 * Deletes an attempt that still has its key, and leaves a mark in 'leases'. By the mark, a renewal
 * that comes later tells a released attempt from one that the database has lost. `purge` removes
 * the mark.
 */
export function releaseAttempt3(schema: string): string {
  return `create function ${schema}.release_attempt_3(in_token text, in_namespace text,
      in_scope text, in_key text)
    returns void language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '5s' as $$
    begin
      delete from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token;
      if not found then
        perform from ${schema}.attempts a
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
            and a.token = in_token;
        ${refuseDropped('attempts', 'found')}
      end if;
      insert into ${schema}.leases (token, until) values ('released:' || in_token, null)
        on conflict (token) do nothing;
      if not found then
        perform from ${schema}.leases l where l.token = 'released:' || in_token;
        ${refuseDropped('leases')}
      end if;
    end $$`
}
