import { isOutcomeKnown, sqlState } from '../sql-state.ts'

/**
 * Whether a session is as good as new after an error, once nothing is open in it. Where it is not, it
 * must not go back to its pool: there it would fail everybody after, in the same way, for ever.
 *
 * An error of the statement leaves the session fit. These are about the session:
 *
 * | SQLSTATE       | what it says                                  | where it comes from                       |
 * |----------------|-----------------------------------------------|-------------------------------------------|
 * | none           | no server said it                             | a lost connection, a deadline, a driver   |
 * | `08`           | connection exception                          | the server, a pooler, a proxy             |
 * | `25006`        | takes no writes                               | a standby, or `default_transaction_read_only` |
 * | `25P03` `25P04`| ended: idle in a transaction; a long one      | timeouts of the server                    |
 * | `26000`        | a prepared statement is not there             | `DEALLOCATE`, `DISCARD`, a pooler         |
 * | `42P05`        | it is there already                           | a pooler that mixes sessions              |
 * | `0A000`        | its plan changed its result; not on a standby | a migration beside it; `serializable`     |
 * | `40003`        | nobody knows whether it was done              | the server                                |
 * | `53200` `53300`| out of memory; too many connections           | the server: one session less helps it     |
 * | `57P`          | shutdown, crash, cannot connect now           | the server                                |
 * | `58` `F0` `XX` | its files, its configuration, itself          | the server                                |
 * | `FATAL`        | whatever it says, the session has ended       | the server                                |
 */
export function isSessionFit(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && isOutcomeKnown(error) && !UNFIT.has(state) && !isFatal(error)
}

/** The server takes no writes: it is a standby, or was told to be read-only. */
export function isReadOnlyServer(error: unknown): boolean {
  return sqlState(error) === READ_ONLY
}

const READ_ONLY = '25006'

/** Beside those whose outcome is unknown. */
const UNFIT = new Set([READ_ONLY, '26000', '42P05', '0A000', '53200', '53300'])

/** Severities may be translated: what is not seen here is seen when the connection closes. */
function isFatal(error: unknown): boolean {
  for (let at = error; typeof at === 'object' && at !== null; at = (at as Error).cause) {
    const { severity } = at as { severity?: unknown }
    if (severity === 'FATAL' || severity === 'PANIC') return true
  }
  return false
}
