import type { Statement } from '../sql/sql-client.ts'
import type { CallbackDriver } from './callback-driver.ts'

/**
 * Sets the sessions of a driver's pool right: what a handler has left there is set back, a role and an
 * encoding, and one that leads to a server which takes no writes is ended. Such a driver has no way to be
 * told so of a connection; but it notices when the server ends one. So as many statements as there are
 * connections are sent at once, because pools differ in which one they use next. One round at a time, in
 * the background.
 */
export function setSessionsRight<Tx extends object>(driver: CallbackDriver<Tx>): () => void {
  let isWeeding = false

  return () => {
    if (isWeeding || driver.concurrency === 'one') return
    isWeeding = true
    const visits = Array.from({ length: driver.poolSize }, async () => driver.query(SET_RIGHT))
    void Promise.allSettled(visits).then(() => {
      isWeeding = false
    })
  }
}

/**
 * The server ends it once it is idle, not in the middle of a statement: postgres.js can lose what it has
 * sent behind one, and crashes where a session ends inside of `begin`.
 */
const SET_RIGHT: Statement = {
  name: 'set_right',
  text: `do $$ begin
      if current_setting('transaction_read_only') = 'on' then
        perform set_config('idle_session_timeout', '1', false);
      end if;
      reset role;
      reset client_encoding;
    end $$`,
  values: [],
}
