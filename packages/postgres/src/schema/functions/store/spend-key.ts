import { refuseDropped } from '../expressions/must-be-written.ts'

/**
 * Writes a record without a response, unless the key already has a record. The request then never
 * runs again, and its retries have no response to get.
 */
export function spendKeyFunction(schema: string): string {
  return `create function ${schema}.spend_key(in_namespace text, in_scope text, in_key text,
      in_fingerprint text)
    returns void language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '5s' as $$
    begin
      insert into ${schema}.records (namespace, scope, key, fingerprint, status)
        values (in_namespace, in_scope, in_key, in_fingerprint, 500)
        on conflict on constraint records_pkey do nothing;
      if not found then
        perform from ${schema}.records r
          where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
        ${refuseDropped('records')}
      end if;
    end $$`
}
