import {
  asHandler,
  asLogin,
  IN_HANDLERS_TRANSACTION,
  mayInsert,
  ROLE_OF_HANDLER,
} from '../expressions/as-login.ts'

/** Appends events in a transaction that belongs to no attempt, whatever role is set in it. */
export function appendEventsFunction(schema: string): string {
  return `create function ${schema}.append_events_2(in_events json)
    returns text language plpgsql volatile ${IN_HANDLERS_TRANSACTION} as $$
    declare
      ${ROLE_OF_HANDLER}
    begin
      ${asLogin(mayInsert(schema, 'outbox'))}
      perform ${schema}.append_events(in_events);
      ${asHandler()}
      return 'stored';
    end $$`
}
