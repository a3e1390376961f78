import {
  asHandler,
  asLogin,
  IN_HANDLERS_TRANSACTION,
  mayWriteRecord,
  ROLE_OF_HANDLER,
} from '../expressions/as-login.ts'
import { refuseDropped } from '../expressions/must-be-written.ts'
import { REFUSE_OTHER_ENCODINGS } from '../expressions/speaks-utf8.ts'
import { REFUSE_OTHER_OR_UNMARKED_TRANSACTIONS } from './same-transaction.ts'

/**
 * Completes an attempt in transaction mode: writes the record and the events, or nothing.
 *
 * COMMIT is often sent without waiting for this function's result, and only an error turns it into
 * a rollback. So it raises where nothing may be kept:
 *
 * - OK001 if this is not the transaction that claimed the key. That is seen by the time at which
 *   the transaction began ('in_started'), and on PGlite also by the mark 'in_attempt'.
 * - A unique_violation of 'records_pkey' if another attempt has written the record.
 *
 * 'lock_timeout' limits the wait for a locked table, for example during CREATE INDEX: for as long
 * as this function waits, the handler keeps its locks and its connection.
 */
export function completeFunction4(schema: string): string {
  return `create function ${schema}.complete_4(in_attempt text, in_started bigint, in_namespace text,
      in_scope text, in_key text, in_fingerprint text, in_status integer, in_headers text, in_body bytea,
      in_seal text, in_events json)
    returns text language plpgsql volatile ${IN_HANDLERS_TRANSACTION} set lock_timeout = '5s' as $$
    declare
      ${ROLE_OF_HANDLER}
    begin
      ${REFUSE_OTHER_OR_UNMARKED_TRANSACTIONS}
      ${REFUSE_OTHER_ENCODINGS}
      ${asLogin(mayWriteRecord(schema))}
      insert into ${schema}.records
          (namespace, scope, key, fingerprint, status, headers, body, seal)
        values (in_namespace, in_scope, in_key, in_fingerprint, in_status, in_headers, in_body,
          in_seal);
      ${refuseDropped('records')}
      if in_events is not null then
        perform ${schema}.append_events(in_events);
      end if;
      ${asHandler()}
      return 'stored';
    end $$`
}
