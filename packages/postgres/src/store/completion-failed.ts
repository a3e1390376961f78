import { OncekeyError } from '@oncekey/core'
import { isOutcomeKnown, sqlState, violatedConstraint } from '../sql-state.ts'
import type { StartedJson } from './statements/start-attempt.ts'
import type { StoreState } from './store-state.ts'
import { terminate } from './undo.ts'

/**
 * What an error at completion or COMMIT means: `superseded`, or the error to throw.
 *
 * A constraint of the handler's own that was deferred to COMMIT is `transaction-aborted`, like any
 * error of its statements: what happened is known, nothing was stored, and it is the handler's to
 * change. `commit-failed` is for an outcome that is open, and for a server that could not.
 */
export function completionFailed<Tx>(
  store: StoreState<Tx>,
  error: unknown,
  started: StartedJson,
): 'superseded' {
  if (SUPERSEDED.has(sqlState(error) ?? '') || isTaken(store, error)) return 'superseded'
  const failure = completionError(error)
  if (failure.code === 'commit-failed' && !isOutcomeKnown(error))
    terminate(store, started, { mayCommit: true })
  throw failure
}

/** The same error in the words of the contract. */
export function completionError(error: unknown): OncekeyError {
  if (error instanceof OncekeyError && error.code === 'transaction-aborted') return error
  const state = sqlState(error) ?? ''
  if (state === ATTEMPT_ENDED) return transactionEnded(error)
  if (state === IN_FAILED_TRANSACTION) return statementFailed(error)
  if (state === READ_ONLY) return readOnly(error)
  if (!isOutcomeKnown(error) || SERVER_COULD_NOT.test(state) || SUPERSEDED.has(state)) {
    return commitFailed(error)
  }
  return writesRefused(error)
}

export function commitFailed(cause: unknown): OncekeyError {
  return new OncekeyError(
    'commit-failed',
    `It is not known whether the response was committed: ${messageOf(cause)}`,
    { cause },
  )
}

/** Another attempt has the key, or its record. */
export const OWNED_BY_ANOTHER = 'OK002'

/** That; a serialization failure; a deadlock. */
const SUPERSEDED = new Set([OWNED_BY_ANOTHER, '40001', '40P01'])

/** Another attempt has the record. By the constraint: the handler's own may be violated at COMMIT too. */
function isTaken<Tx>({ schema }: StoreState<Tx>, error: unknown): boolean {
  return sqlState(error) === '23505' && violatedConstraint(error) === `${schema}.records_pkey`
}

export const ATTEMPT_ENDED = 'OK001'
const IN_FAILED_TRANSACTION = '25P02'
const READ_ONLY = '25006'

/** Out of resources, limits, an operator: worth another try. */
const SERVER_COULD_NOT = /^(?:53|54|55|57)/

export function transactionEnded(cause?: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-ended',
    'The handler ended the transaction itself, by a COMMIT or ROLLBACK that was not seen. What it ' +
      'wrote is not one with the response, which was not stored. So that a retry does not write it once ' +
      'more, the key is spent: it is answered `result-gone`. Leave the end of the transaction to Oncekey.',
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

/** A claim takes no read-only server, and a server that becomes one ends its connections. */
function readOnly(cause: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-aborted',
    'The transaction is read-only, by SET TRANSACTION READ ONLY of the handler: the response could not be ' +
      'stored in it. Leave that statement out, or read on a connection of your own.',
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
