import { messageOf, OncekeyError } from '@oncekey/core'
import { isNeverSent } from '../sql/never-sent.ts'
import { isOtherEncoding, isPreparedElsewhere } from '../sql/session-fitness.ts'
import { isOutcomeKnown, sqlState } from '../sql/sql-state.ts'

/**
 * Translates an error of the completing statement or of COMMIT into one of the contract's codes.
 */
export function completionError(error: unknown): OncekeyError {
  if (error instanceof OncekeyError && error.code === 'transaction-aborted') return error
  const state = sqlState(error) ?? ''
  if (state === ATTEMPT_ENDED) return transactionEnded(error)
  if (state === IN_FAILED_TRANSACTION) return statementFailed(error)
  if (state === READ_ONLY) return readOnly(error)
  if (isOtherEncoding(error)) return otherEncoding(error)
  if (isPreparedElsewhere(error)) return notPrepared(error)
  if (!isOutcomeKnown(error) || COULD_NOT.test(state) || SUPERSEDED.has(state)) {
    return commitFailed(error)
  }
  return writesRefused(error)
}

export function commitFailed(cause: unknown): OncekeyError {
  const what =
    isOutcomeKnown(cause) || isNeverSent(cause)
      ? 'Nothing was committed'
      : 'It is not known whether the response was committed'
  return new OncekeyError('commit-failed', `${what}: ${messageOf(cause)}`, { cause })
}

/**
 * The error in lease mode: the claim is already committed, and the statement that would have ended
 * the lease was not sent.
 */
export function leaseGoesOn(cause: unknown): OncekeyError {
  return new OncekeyError(
    'commit-failed',
    `The response was not stored, because there was no connection for it: ${messageOf(cause)}. The ` +
      'attempt keeps its key until its lease ends; what comes after that is decided by `whenUnknown`. ' +
      'End the pool after the requests: await drain() of the middleware, then pool.end().',
    { cause },
  )
}

/** The error in lease mode if no connection came free for the response while its caller waited. */
export function notStoredYet(cause: unknown): OncekeyError {
  return new OncekeyError(
    'commit-failed',
    `The response is not stored yet, because no connection came free for it: ${messageOf(cause)} It is ` +
      'sent until the database has it, and the attempt keeps its key for as long as its lease lasts.',
    { cause },
  )
}

/** Raised by our functions: another attempt holds the key, or has written its record. */
export const OWNED_BY_ANOTHER = 'OK002'

/** Another attempt won: our own code, a serialization failure, or a deadlock. */
export const SUPERSEDED: ReadonlySet<string> = new Set([OWNED_BY_ANOTHER, '40001', '40P01'])

export const ATTEMPT_ENDED = 'OK001'
const IN_FAILED_TRANSACTION = '25P02'
const READ_ONLY = '25006'

/**
 * Errors that are not the handler's fault: the server was out of resources, over a limit or stopped
 * by an operator, or a trigger or rule on our tables dropped a write (OK007, raised by our
 * functions).
 */
const COULD_NOT = /^(?:53|54|55|57|OK007)/

export function transactionEnded(cause?: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-ended',
    'The transaction was ended by a COMMIT or ROLLBACK that was not seen, of the handler or somebody ' +
      'else on its connection. What the handler wrote is not one with the response, which was not ' +
      'stored. So that a retry does not write it once more, the key is spent, if there was one: it is ' +
      'answered `result-gone`. Leave the end of the transaction to Oncekey.',
    { cause },
  )
}

function statementFailed(cause: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-aborted',
    'A statement of the transaction failed, and the handler answered as if it had not: nothing was ' +
      'stored. Let the error through, or put SAVEPOINT and ROLLBACK TO around the statement.',
    { cause },
  )
}

/**
 * The error when the handler has made the transaction read-only. It cannot be the server: a claim
 * refuses a read-only server, and a server that becomes read-only ends its connections.
 */
function readOnly(cause: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-aborted',
    'The transaction is read-only, by SET TRANSACTION READ ONLY of the handler: the response could not be ' +
      'stored in it. Leave that statement out, or read on a connection of your own.',
    { cause },
  )
}

/**
 * The error when the handler has changed client_encoding: PostgreSQL would read our text as other
 * characters.
 */
function otherEncoding(cause: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-aborted',
    `${messageOf(cause)}, by a SET of the handler: its response would be kept in other characters, and ` +
      'under another scope. Nothing was stored. Write RESET client_encoding before answering.',
    { cause },
  )
}

/**
 * The error for a prepared statement that the session lacks. The handler did nothing wrong, and a
 * retry may get a session that still has the statement.
 */
function notPrepared(cause: unknown): OncekeyError {
  return new OncekeyError(
    'commit-failed',
    'Nothing was committed: the prepared statement that stores the response was not where it was made. ' +
      'There is a pooler in transaction mode that does not track prepared statements, or something on ' +
      'the connection dropped them (DEALLOCATE, DISCARD). Leave `prepare` off.',
    { cause },
  )
}

function writesRefused(cause: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-aborted',
    `PostgreSQL refused to commit what the handler wrote: ${messageOf(cause)}`,
    { cause },
  )
}
