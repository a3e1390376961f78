import { isOutcomeKnown, sqlState } from './sql-state.ts'

/**
 * Whether a session can go back to its pool after an error, once nothing is open in it. An unfit
 * session in the pool would fail every later statement in the same way.
 *
 * An error of the statement leaves the session fit. These are about the session:
 *
 * | SQLSTATE        | what it says                                  | where it comes from                           |
 * |-----------------|-----------------------------------------------|-----------------------------------------------|
 * | none            | no server said it                             | a lost connection, a deadline, a driver       |
 * | `08`            | connection exception                          | the server, a pooler, a proxy                 |
 * | `25006`         | takes no writes                               | a standby, or `default_transaction_read_only` |
 * | `25P03` `25P04` | ended: idle in a transaction; a long one      | timeouts of the server                        |
 * | `42501`         | may not do what every session may             | SET ROLE of a handler; or a grant is missing  |
 * | `OK006`         | `client_encoding` is not UTF8                 | SET of a handler                              |
 * | `26000`         | a prepared statement is not there             | `DEALLOCATE`, `DISCARD`, a pooler             |
 * | `42P05`         | it is there already                           | a pooler that mixes sessions                  |
 * | `0A000`         | its plan changed its result; not on a standby | a migration beside it; `serializable`         |
 * | `40003`         | nobody knows whether it was done              | the server                                    |
 * | `53200` `53300` | out of memory; too many connections           | the server: one session less helps it         |
 * | `57P`           | shutdown, crash, cannot connect now           | the server                                    |
 * | `58` `F0` `XX`  | its files, its configuration, itself          | the server                                    |
 * | `FATAL`         | whatever it says, the session has ended       | the server                                    |
 */
export function isSessionFit(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && isOutcomeKnown(error) && !UNFIT.has(state) && !isFatal(error)
}

/** The server takes no writes: it is a standby, or is configured as read-only. */
export function isReadOnlyServer(error: unknown): boolean {
  return sqlState(error) === READ_ONLY
}

/** Raised by our functions: the session's client encoding is not UTF8. */
export function isOtherEncoding(error: unknown): boolean {
  return sqlState(error) === OTHER_ENCODING
}

/** The role of the session lacks a grant: the application's own role, or one that was left set. */
export function isRefusedToRole(error: unknown): boolean {
  return sqlState(error) === NOT_ALLOWED
}

/**
 * An earlier user of the session left a role or an encoding set in it. The error is the same if the
 * failed transaction itself made the setting, but its rollback then undoes it.
 */
export function isSetInSession(error: unknown): boolean {
  return SET_IN_SESSION.has(sqlState(error) ?? '')
}

/** One of our prepared statements is missing from the session, or already exists in it. */
export function isPreparedElsewhere(error: unknown): boolean {
  return NOT_PREPARED.has(sqlState(error) ?? '')
}

const READ_ONLY = '25006'
const OTHER_ENCODING = 'OK006'
const NOT_ALLOWED = '42501'
const SET_IN_SESSION = new Set([OTHER_ENCODING, NOT_ALLOWED])
const NOT_PREPARED = new Set(['26000', '42P05'])

/** Errors after which a session is not fit, in addition to those that leave the outcome unknown. */
const UNFIT = new Set([
  READ_ONLY,
  ...SET_IN_SESSION,
  ...NOT_PREPARED,
  ...['0A000', '53200', '53300'],
])

/**
 * Recognises FATAL by its severity, which servers translate. A translated one is not recognised
 * here, but the server then closes the connection, which is noticed.
 */
function isFatal(error: unknown): boolean {
  for (let at = error; typeof at === 'object' && at !== null; at = (at as Error).cause) {
    const { severity } = at as { severity?: unknown }
    if (severity === 'FATAL' || severity === 'PANIC') return true
  }
  return false
}
