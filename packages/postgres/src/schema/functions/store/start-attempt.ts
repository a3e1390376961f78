/** Starts an attempt that has no key, or whose key is held by a row of 'attempts'. */
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

/**
 * When the transaction began, in microseconds. No two transactions of one session began at the same
 * time, except on PGlite, whose clock counts milliseconds ('same-transaction.ts').
 */
export const STARTED = '(extract(epoch from transaction_timestamp()) * 1000000)::bigint'

/**
 * Limits how long the attempt's transaction may be idle, so that a lost host does not hold the key
 * for ever. The limit is the smaller of ours and that of the role or database. Returns in which
 * process the transaction runs and when it began, so that it can be ended from outside, and only
 * while it is still the same transaction.
 */
export const LIMIT_ATTEMPT: string = `if in_backstop_ms > 0 then
        own_limit := current_setting('idle_in_transaction_session_timeout');
        if own_limit = '0' or own_limit::interval > in_backstop_ms * interval '1 millisecond' then
          ignored := set_config('idle_in_transaction_session_timeout', in_backstop_ms::text, true);
        end if;
      end if;
      return concat('{"state":"run","backend":', pg_backend_pid(), ',"started":"',
        ${STARTED}, '"}');`

/**
 * Sets the attempt's mark, then limits the attempt. The function that ends the attempt checks the
 * mark: that of earlier releases on every server, the one in use on PGlite only
 * ('same-transaction.ts').
 */
export const START_ATTEMPT: string = `ignored := set_config('oncekey.attempt', in_attempt, true);
      ${LIMIT_ATTEMPT}`
