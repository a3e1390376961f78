import {
  asHandler,
  asLogin,
  IN_HANDLERS_TRANSACTION,
  mayWriteRecord,
  ROLE_OF_HANDLER,
} from '../expressions/as-login.ts'

/**
 * The end of an attempt in transaction mode: record and events, or nothing. Raises when the
 * transaction is not this attempt's any more: a handler that committed by itself has given up the
 * lock, and what follows would be committed piece by piece. Raises when another has the record, a
 * unique_violation of 'records_pkey': COMMIT may be on its way behind this, and no rows would be no
 * error.
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
