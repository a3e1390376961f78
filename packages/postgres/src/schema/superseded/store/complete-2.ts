import {
  asHandler,
  asLogin,
  IN_HANDLERS_TRANSACTION,
  mayWriteRecord,
  ROLE_OF_HANDLER,
} from '../../functions/expressions/as-login.ts'

/**
 * `complete_2`, an earlier version of `complete_4`, for processes of an earlier release. It
 * recognises the transaction by a setting.
 */
export function completeFunction(schema: string): string {
  return `create function ${schema}.complete_2(in_attempt text, in_namespace text, in_scope text,
      in_key text, in_fingerprint text, in_status integer, in_headers text, in_body bytea,
      in_seal text, in_events json)
    returns text language plpgsql volatile ${IN_HANDLERS_TRANSACTION} as $$
    declare
      ${ROLE_OF_HANDLER}
    begin
      if current_setting('oncekey.attempt', true) is distinct from in_attempt then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;
      ${asLogin(mayWriteRecord(schema))}
      insert into ${schema}.records
          (namespace, scope, key, fingerprint, status, headers, body, seal)
        values (in_namespace, in_scope, in_key, in_fingerprint, in_status, in_headers, in_body,
          in_seal);
      if in_events is not null then
        perform ${schema}.append_events(in_events);
      end if;
      ${asHandler()}
      return 'stored';
    end $$`
}
