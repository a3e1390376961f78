import {
  asHandler,
  asLogin,
  IN_HANDLERS_TRANSACTION,
  mayInsert,
  ROLE_OF_HANDLER,
} from '../expressions/as-login.ts'
import { REFUSE_OTHER_ENCODINGS } from '../expressions/speaks-utf8.ts'
import { REFUSE_OTHER_OR_UNMARKED_TRANSACTIONS } from './same-transaction.ts'

/** Ends an attempt without a key. Raises if the handler ended the transaction itself. */
export function endAttemptFunction3(schema: string): string {
  return `create function ${schema}.end_attempt_3(in_attempt text, in_started bigint, in_events json)
    returns text language plpgsql volatile ${IN_HANDLERS_TRANSACTION} set lock_timeout = '5s' as $$
    declare
      ${ROLE_OF_HANDLER}
    begin
      ${REFUSE_OTHER_OR_UNMARKED_TRANSACTIONS}
      if in_events is not null then
        ${REFUSE_OTHER_ENCODINGS}
        ${asLogin(mayInsert(schema, 'outbox'))}
        perform ${schema}.append_events(in_events);
      end if;
      ${asHandler()}
      return 'stored';
    end $$`
}
