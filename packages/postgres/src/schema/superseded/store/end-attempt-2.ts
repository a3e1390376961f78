import {
  asHandler,
  asLogin,
  IN_HANDLERS_TRANSACTION,
  mayInsert,
  ROLE_OF_HANDLER,
} from '../../functions/expressions/as-login.ts'

/** `end_attempt_2`, an earlier version of `end_attempt_3`, for processes of an earlier release. */
export function endAttemptFunction(schema: string): string {
  return `create function ${schema}.end_attempt_2(in_attempt text, in_events json)
    returns text language plpgsql volatile ${IN_HANDLERS_TRANSACTION} as $$
    declare
      ${ROLE_OF_HANDLER}
    begin
      if current_setting('oncekey.attempt', true) is distinct from in_attempt then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;
      if in_events is not null then
        ${asLogin(mayInsert(schema, 'outbox'))}
        perform ${schema}.append_events(in_events);
      end if;
      ${asHandler()}
      return 'stored';
    end $$`
}
