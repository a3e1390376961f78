import type { StartedJson } from '../../commit/attempt-mark.ts'
import { completionError, SUPERSEDED } from '../../commit/completion-error.ts'
import { isOutcomeKnown, sqlState, violatedConstraint } from '../../sql/sql-state.ts'
import type { StoreState } from './store-state.ts'
import { terminate } from './undo.ts'

/**
 * Turns an error of the completing statement or of COMMIT into `superseded`, or throws it as one of
 * the contract's.
 *
 * A violated constraint that the handler had deferred to COMMIT is `transaction-aborted`, like any
 * error of its own statements: nothing was stored, and the handler has to change. `commit-failed`
 * means that the outcome is open, or that the server or the session was unable to commit.
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

/**
 * Another attempt has written the record. The constraint is compared by its name, because one of
 * the handler's own may be violated at COMMIT as well.
 */
function isTaken<Tx>({ schema }: StoreState<Tx>, error: unknown): boolean {
  return sqlState(error) === '23505' && violatedConstraint(error) === `${schema}.records_pkey`
}
