import type { Statement } from './sql-client.ts'
import { sqlState } from './sql-state.ts'

/**
 * Statements that undo a SET default_transaction_read_only which an earlier user left in the
 * session. If a statement was refused with 25006, it is sent again behind these, in one message.
 * Closing our connection would not help: behind a pooler in transaction mode the session outlives
 * the connection.
 *
 * A server or role that is configured as read-only stays read-only: RESET returns to the configured
 * setting, which is then applied to the transaction too. A standby refuses READ WRITE; see {@link
 * readWrite}.
 */
export const MAKE_WRITABLE: readonly Statement[] = [
  { name: 'reset_read_only', text: 'reset default_transaction_read_only', values: [] },
  { name: 'read_write', text: 'set transaction read write', values: [] },
  {
    name: 'as_configured',
    text: "select set_config('transaction_read_only', current_setting('default_transaction_read_only'), true)",
    values: [],
  },
]

/**
 * The same for a statement that was refused because an earlier user left another encoding. There is
 * no such thing for a role: the application may set one on each connection, or a pooler for it, and
 * without it row-level security may not bind the handler.
 */
export const OWN_ENCODING: readonly Statement[] = [
  { name: 'own_encoding', text: 'reset client_encoding', values: [] },
]

/**
 * Turns a standby's error for READ WRITE into the error that every other statement gets there. A
 * standby's own words are "cannot set transaction read-write mode during recovery".
 */
export function readWrite(error: unknown): unknown {
  if (sqlState(error) !== FEATURE_NOT_SUPPORTED) return error
  const cause = error as Error
  return Object.assign(new Error(`this server takes no writes: ${cause.message}`, { cause }), {
    severity: 'ERROR',
    code: READ_ONLY,
  })
}

const READ_ONLY = '25006'
const FEATURE_NOT_SUPPORTED = '0A000'
