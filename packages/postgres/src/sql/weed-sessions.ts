import type { CallbackDriver } from '../deferred-transaction.ts'
import type { Statement } from '../sql-client.ts'

/**
 * Takes the sessions out of a driver's pool that lead to a server which takes no writes. Such a driver
 * has no way to be told so of a connection; but it notices when the server ends one. So as many
 * statements as there are connections are sent at once, because pools differ in which one they use
 * next, and a session that is found wrong is ended. One round at a time, in the background.
 */
export function weedReadOnlySessions<Tx extends object>(driver: CallbackDriver<Tx>): () => void {
  let isWeeding = false

  return () => {
    if (isWeeding || driver.concurrency === 'one') return
    isWeeding = true
    const visits = Array.from({ length: driver.poolSize }, async () =>
      driver.query(END_IF_READ_ONLY),
    )
    void Promise.allSettled(visits).then(() => {
      isWeeding = false
    })
  }
}

/**
 * The server ends it once it is idle, not in the middle of a statement: postgres.js can lose what it has
 * sent behind one, and crashes where a session ends inside of `begin`.
 */
const END_IF_READ_ONLY: Statement = {
  name: 'end_if_read_only',
  text: `select case when current_setting('transaction_read_only') = 'on'
      then set_config('idle_session_timeout', '1', false) end as ends`,
  values: [],
}
