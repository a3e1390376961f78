import { isCausedByOne, OptionsError } from '@oncekey/core'
import { atOnce } from '@oncekey/core/options'
import { PermanentError } from '@oncekey/outbox'
import { isA, isResultInvalid } from '../run/failure.ts'
import type { Failure } from '../run/move.ts'
import type { Action } from '../run/next-action.ts'
import type { Run } from '../run/run.ts'
import { reportError } from '../telemetry/channels.ts'

/**
 * The failure of an attempt whose function threw, or was waited for no longer. `own` are the errors
 * that the runner itself made in this attempt. None of them is the word of the step: its function
 * may have had its effect before, or may have it still. So the step's `isPermanent` is not asked
 * about them.
 */
export function failureFrom(
  run: Run,
  action: Action,
  error: unknown,
  durationMs: number,
  own: ReadonlySet<unknown>,
): Failure {
  if (isResultInvalid(error)) return { error, durationMs, kind: 'permanent', hadNoEffect: false }
  const { step, direction } = action
  const isPermanent =
    isA(PermanentError, error) || (!isCausedByOne(error, own) && saysPermanent(step, error, run.id))
  // A compensation has no compensation. If it cannot succeed, an operator has to decide.
  if (!isPermanent) return { error, durationMs, kind: 'transient', hadNoEffect: false }
  const isOfAll = isA(PermanentError, error) && error.ofEveryAttempt === true
  const hadNoEffect = direction === 'run' && (isOfAll || !mayHaveRunBefore(run, action))
  return { error, durationMs, kind: 'permanent', hadNoEffect }
}

/**
 * Whether an attempt before this one may have had an effect: then an error of this one cannot say
 * that the step had none. A step that is on record as begun may have been attempted by any process
 * that had the run, unless this one has recorded it just now.
 */
function mayHaveRunBefore(run: Run, { position }: Action): boolean {
  const row = run.steps.get(position)
  return row?.state === 'begun' && row.isNew !== true
}

/**
 * The attempt has failed because its end could not be recorded. The error is one of the database:
 * even if the step calls it permanent, it does not say that the function, which had returned, left
 * nothing behind elsewhere.
 */
export function refusedFailure(
  run: Run,
  action: Action,
  error: unknown,
  durationMs: number,
): Failure {
  return { ...failureFrom(run, action, error, durationMs, NONE), hadNoEffect: false }
}

/** Another attempt would write a second time, whatever the step says about the error. */
export function committed(failure: Failure): Failure {
  return { ...failure, kind: 'permanent', hadNoEffect: false, hasCommitted: true }
}

/**
 * Calls the step's `isPermanent`. If it throws or returns anything but a boolean, such as a
 * promise, the error is reported and the failure counts as transient.
 */
function saysPermanent(step: Action['step'], failure: unknown, runId: string): boolean {
  try {
    const permanent: unknown = atOnce(step.isPermanent(failure))
    if (typeof permanent === 'boolean') return permanent
    throw new OptionsError(
      `isPermanent of step "${step.name}" returned ${String(permanent)}: return true or false, at once.`,
    )
  } catch (error) {
    reportError({ error, during: 'is-permanent', runId })
    return false
  }
}

const NONE: ReadonlySet<unknown> = new Set()
