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

/**
 * Marks the transaction as this attempt's, and sees to it that a host which is lost does not hold the
 * key for ever: by the smaller of our limit and the one that the role or the database has. Says where it
 * runs, for whoever has to end it from outside.
 */
export const START_ATTEMPT = `ignored := set_config('oncekey.attempt', in_attempt, true);
      if in_backstop_ms > 0 then
        own_limit := current_setting('idle_in_transaction_session_timeout');
        if own_limit = '0' or own_limit::interval > in_backstop_ms * interval '1 millisecond' then
          ignored := set_config('idle_in_transaction_session_timeout', in_backstop_ms::text, true);
        end if;
      end if;
      return concat('{"state":"run","backend":', pg_backend_pid(), ',"started":"',
        (extract(epoch from transaction_timestamp()) * 1000000)::bigint, '"}');`
