import {
  asHandler,
  asLogin,
  IN_HANDLERS_TRANSACTION,
  mayWriteRecord,
  ROLE_OF_HANDLER,
} from '../../functions/expressions/as-login.ts'
import { REFUSE_OTHER_ENCODINGS } from '../../functions/expressions/speaks-utf8.ts'
import { REFUSE_OTHER_OR_UNMARKED_TRANSACTIONS } from '../../functions/store/same-transaction.ts'

/** An earlier version of `complete_4`, for processes of an earlier release. It knows no mark. */
export function completeFunction3(schema: string): string {
  return `create function ${schema}.complete_3(in_attempt text, in_started bigint, in_namespace text,
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
      if in_events is not null then
        perform ${schema}.append_events(in_events);
      end if;
      ${asHandler()}
      return 'stored';
    end $$`
}
