/** The start of an attempt that has no key, or has its key by a row. */
export function startAttemptFunction(schema: string): string {
  return `create or replace function ${schema}.start_attempt(in_attempt text,
      in_backstop_ms integer)
    returns text language plpgsql volatile as $$
    declare
      ignored text;
      own_limit text;
    begin
      ${START_ATTEMPT}
    end $$`
}

/** When the transaction began, in microseconds: no two of one session began at the same. */
export const STARTED = '(extract(epoch from transaction_timestamp()) * 1000000)::bigint'

/**
 * Sees to it that a host which is lost does not hold the key for ever: by the smaller of our limit and
 * the one that the role or the database has. Says where the transaction runs and when it began, for
 * whoever has to end it, and has to know whether it still is the same.
 */
export const LIMIT_ATTEMPT: string = `if in_backstop_ms > 0 then
        own_limit := current_setting('idle_in_transaction_session_timeout');
        if own_limit = '0' or own_limit::interval > in_backstop_ms * interval '1 millisecond' then
          ignored := set_config('idle_in_transaction_session_timeout', in_backstop_ms::text, true);
        end if;
      end if;
      return concat('{"state":"run","backend":', pg_backend_pid(), ',"started":"',
        ${STARTED}, '"}');`

/** The same, with the mark that the functions of the releases before look for at the end. */
export const START_ATTEMPT: string = `ignored := set_config('oncekey.attempt', in_attempt, true);
      ${LIMIT_ATTEMPT}`
