import type { Statement } from '../sql/sql-client.ts'
import type { CallbackDriver } from './callback-driver.ts'

/**
 * Repairs the sessions of a driver's pool: resets a role, an encoding or a READ ONLY that a handler
 * left set, and ends a session on a server that takes no writes. Such a driver cannot be told to
 * drop a connection, but it notices when the server ends the session. As many statements as the
 * pool has connections are sent at once, because it is unknown which connection a pool uses next.
 * One round runs at a time, in the background.
 */
export function setSessionsRight<Tx extends object>(driver: CallbackDriver<Tx>): () => void {
  let isWeeding = false

  return () => {
    if (isWeeding) return
    isWeeding = true
    const statement = driver.concurrency === 'one' ? SET_ONE_RIGHT : SET_RIGHT
    const visits = Array.from({ length: driver.poolSize }, async () => driver.query(statement))
    void Promise.allSettled(visits).then(() => {
      isWeeding = false
    })
  }
}

/**
 * The server ends the session when it is idle, not during a statement: postgres.js can lose what it
 * has sent behind a running statement, and crashes if a session ends inside `begin`.
 */
const SET_RIGHT: Statement = {
  name: 'set_right',
  text: `do $$ begin
      reset default_transaction_read_only;
      if pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean then
        perform set_config('idle_session_timeout', '1', false);
      end if;
      reset role;
      reset client_encoding;
    end $$`,
  values: [],
}

/**
 * For a client with one session: it is never ended, because no second session exists and a new one
 * would not reach another server.
 */
const SET_ONE_RIGHT: Statement = {
  name: 'set_right',
  text: `do $$ begin
      reset role;
      reset client_encoding;
      reset default_transaction_read_only;
    end $$`,
  values: [],
}
