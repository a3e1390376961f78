import type { StartedJson } from '../../commit/attempt-mark.ts'
import { completionError, SUPERSEDED } from '../../commit/completion-error.ts'
import { isOutcomeKnown, sqlState, violatedConstraint } from '../../sql/sql-state.ts'
import type { StoreState } from './store-state.ts'
import { terminate } from './undo.ts'

/**
 * Turns an error of the completing statement or of COMMIT into `superseded`, or throws it with one
 * of the contract's codes.
 *
 * If a constraint that the handler had deferred to COMMIT was violated, the code is
 * `transaction-aborted`, as for every error of the handler's statements: nothing was stored, and
 * the handler's code has to change. `commit-failed` means that the outcome is open, or that the
 * server or the session was unable to commit.
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
 * Whether another attempt has written the record. The constraint is compared by its name, because a
 * constraint of the handler's own tables may be violated at COMMIT as well.
 */
function isTaken<Tx>({ schema }: StoreState<Tx>, error: unknown): boolean {
  return sqlState(error) === '23505' && violatedConstraint(error) === `${schema}.records_pkey`
}
