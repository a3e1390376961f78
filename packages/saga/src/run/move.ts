import type { DeadReason } from '@oncekey/core'
import type { Definition, ResolvedStep } from '../definition/definition.ts'
import { delayMs } from '../definition/retry-policy.ts'
import type { MoveJson } from '../statements/moves.ts'
import type { StuckJson } from '../statements/run-json.ts'
import { errorFingerprint } from './error-fingerprint.ts'
import { failureOf } from './failure.ts'
import { type Action, nextAction } from './next-action.ts'
import type { Run, StepRow } from './run.ts'

/** A move: a change to a run, which one statement writes, and the run after that change. */
export interface Move {
  readonly run: Run
  readonly json: MoveJson
  /**
   * What happens to the run next: `go-on` continues at once, `wait` waits for the next attempt,
   * `ended` does nothing more, `parked` waits for an operator.
   */
  readonly course: 'go-on' | 'wait' | 'ended' | 'parked'
  /** How the attempt ended, for telemetry. */
  readonly outcome: 'begun' | 'done' | 'retry' | 'failed'
  readonly parked?: DeadReason
  /** The position of the attempted step; undefined if the move does not come from an attempt. */
  readonly own?: number
  /**
   * Whether the move begins or completes a step that cannot be undone, so that it must keep a
   * cancellation out until it is committed.
   */
  readonly isIrreversible?: boolean
}

/**
 * Whether the step must be recorded before it runs, because it has effects outside the database and
 * is not on record yet. A step on record as `undone` was local when it failed, or was given back
 * before it was attempted, so it begins like a new one.
 */
export function isToBegin(run: Run, { direction, position, step }: Action): boolean {
  const state = run.steps.get(position)?.state
  return direction === 'run' && !step.local && (state === undefined || state === 'undone')
}

/**
 * Records a step with effects outside the database before it runs, so that it will be compensated.
 */
export function beginStep({ forwardFrom }: Definition, run: Run, { position, step }: Action): Move {
  const row = run.steps.get(position) ?? newRow(position, step)
  const begun: StepRow = { ...row, state: 'begun', isNew: true }
  const isIrreversible = position >= forwardFrom
  return { ...moved(run, [begun], { course: 'go-on', outcome: 'begun' }), isIrreversible }
}

/** The move after a successful attempt. `result` is JSON text. */
export function succeeded(
  definition: Definition,
  run: Run,
  { direction, position, step, attempt }: Action,
  result: string,
): Move {
  const { forwardFrom } = definition
  const row = run.steps.get(position) ?? newRow(position, step)
  // From the pivot on, a local step is committed completely or, if the run was cancelled first, not
  // at all.
  const isAtomic = direction === 'run' && step.local && position >= forwardFrom
  const now: StepRow =
    direction === 'run'
      ? { ...row, state: 'done', attempts: attempt, result: JSON.parse(result) }
      : { ...row, state: 'compensated', compensationAttempts: attempt }
  const after = withRows(run, [now])
  const next = nextAction(definition, after)
  if (next === undefined) {
    const state = direction === 'run' ? 'completed' : 'compensated'
    const ending = { course: 'ended', outcome: 'done', run: { state, ended: true } } as const
    return { ...moved(run, [now], { ...ending, isAtomic }), own: position }
  }
  // The same statement also records that the next step begins.
  const isNew = next.direction === 'run' && !next.step.local && !after.steps.has(next.position)
  const rows = isNew ? [now, newRow(next.position, next.step)] : [now]
  const isIrreversible = direction === 'run' && rows.some((each) => each.position >= forwardFrom)
  const on = moved(run, rows, { course: 'go-on', outcome: 'done', isAtomic })
  return { ...on, own: position, isIrreversible }
}

/** A failed attempt. */
export interface Failure {
  readonly error: unknown
  readonly durationMs: number
  /**
   * `permanent`: another attempt cannot succeed. `poison`: the processes that ran the step died.
   * `transient`: any other failure.
   */
  readonly kind: 'permanent' | 'poison' | 'transient'
  /**
   * Whether the step itself reported that it left no effect, and no earlier attempt may have left
   * one, so that the pivot can still be undone.
   */
  readonly hadNoEffect: boolean
  /**
   * Whether the step ended its transaction itself, so that what it wrote was not rolled back. A
   * local step then counts as one with effects of its own: it is compensated, too.
   */
  readonly hasCommitted?: boolean
}

/**
 * Decides what becomes of a run after a failed attempt.
 *
 * - The failure is transient and attempts are left: the run waits and tries again. Otherwise:
 * - A compensation failed: the run becomes `compensation-failed`.
 * - A step before the pivot failed: the run is undone.
 * - The pivot failed: the run is undone if the pivot is known to have had no effect. Otherwise it
 *   is unknown whether to go on or back, and the run is stuck until an operator finds out.
 * - A step after the pivot failed: the run cannot go back, and is stuck until an operator removes
 *   the cause.
 */
export function failed(definition: Definition, run: Run, action: Action, failure: Failure): Move {
  return { ...afterFailure(definition, run, action, failure), own: action.position }
}

function afterFailure(definition: Definition, run: Run, action: Action, failure: Failure): Move {
  const { direction, position, step, attempt } = action
  const policy = direction === 'run' ? step.retry : step.compensationRetry
  const row = run.steps.get(position) ?? newRow(position, step)
  // If a local step is on record as `begun`, it had effects outside the database in an earlier
  // release.
  const isOnRecord = run.steps.get(position)?.state === 'begun'
  const isRolledBack = step.local && !isOnRecord && failure.hasCommitted !== true
  // What it has committed itself counts as an effect outside from now on, whatever an earlier
  // attempt had rolled back.
  const left = failure.hasCommitted === true ? 'begun' : row.state
  const counted: StepRow =
    direction === 'run'
      ? { ...row, attempts: attempt, state: isRolledBack ? 'undone' : left }
      : { ...row, compensationAttempts: attempt }
  const base = { failures: [failureJson(action, failure)] }

  const isOver = failure.kind !== 'transient' || attempt >= policy.maxAttempts
  if (!isOver) {
    const ms = delayMs(policy, attempt, run.id)
    return moved(run, [counted], { ...base, course: 'wait', outcome: 'retry', waitMs: ms })
  }
  if (direction === 'compensate') {
    const reason = deadReason(failure)
    const stuck = stuckJson(action, failure)
    return moved(run, [counted], {
      ...base,
      course: 'parked',
      outcome: 'failed',
      parked: reason,
      run: { state: 'compensation-failed', stuck },
    })
  }
  if (!canGoBack(step, failure, isRolledBack)) {
    const reason = deadReason(failure)
    const stuck = stuckJson(action, failure)
    return moved(run, [counted], {
      ...base,
      course: 'parked',
      outcome: 'failed',
      parked: reason,
      run: { state: 'stuck', failed_step: step.name, stuck },
    })
  }
  const gone: StepRow = isRolledBack ? counted : { ...counted, state: 'failed' }
  const cause = { failed_step: step.name, error: JSON.stringify(failureOf(failure.error)) }
  const after: Run = { ...withRows(run, [gone]), state: 'compensating' }
  const isUndone = nextAction(definition, after) === undefined
  return moved({ ...run, state: 'compensating' }, [gone], {
    ...base,
    course: isUndone ? 'ended' : 'go-on',
    outcome: 'failed',
    run: isUndone
      ? { state: 'compensated', ...cause, ended: true }
      : { state: 'compensating', ...cause },
  })
}

/**
 * The move that ends a run with nothing left to do, because a process crashed between the last step
 * and the end, or because an operator intervened.
 */
export function ended(run: Run): Move {
  const state = run.state === 'running' ? 'completed' : 'compensated'
  return moved(run, [], { course: 'ended', outcome: 'done', run: { state, ended: true } })
}

/**
 * The move with which a process that stops gives a run up, so that any other may take it at once:
 * before an attempt, or after one that was cut short and has ended, which does not count. How many
 * owners the run has lost stays on record: it has done nothing here that would end its process.
 */
export function givenBack(run: Run, rows: readonly StepRow[] = []): Move {
  const move = moved(run, rows, { course: 'wait', outcome: 'begun', waitMs: 0 })
  return { ...move, json: { ...move.json, next: { kind: 'give-back', now: true } } }
}

/**
 * The same before an attempt. If the attempt would have been the first of the pivot, the pivot is
 * on record as not begun: the next process begins it, and so knows that its attempt is the first.
 */
export function givenBackBefore(run: Run, { direction, position, step }: Action): Move {
  const row = run.steps.get(position)
  const isFirst = direction === 'run' && row?.isNew === true
  return givenBack(run, isFirst && step.kind === 'pivot' ? [{ ...row, state: 'undone' }] : [])
}

/**
 * Whether the run can be undone after a failure: always before the pivot; at the pivot only if it
 * is known to have had no effect.
 */
function canGoBack(step: ResolvedStep, failure: Failure, isRolledBack: boolean): boolean {
  if (step.kind === 'retriable') return false
  return step.kind === 'compensatable' || isRolledBack || failure.hadNoEffect
}

function deadReason({ kind }: Failure): DeadReason {
  if (kind === 'poison') return 'poison'
  return kind === 'transient' ? 'exhausted' : 'permanent'
}

/** Why the run waits for an operator, with the fingerprint that groups it with similar runs. */
function stuckJson({ step, attempt }: Action, failure: Failure): string {
  const { name, message, code } = failureOf(failure.error)
  const stuck: StuckJson = {
    reason: deadReason(failure),
    step: step.name,
    error: { name, message, ...(code !== undefined && { code }) },
    fingerprint: errorFingerprint({ name, message, code }),
    attempts: attempt,
  }
  return JSON.stringify(stuck)
}

function failureJson(
  { direction, step, attempt }: Action,
  { error, durationMs }: Failure,
): MoveJson['failures'][number] {
  return {
    step: step.name,
    direction,
    attempt,
    error: JSON.stringify(failureOf(error)),
    duration_ms: Math.round(durationMs),
  }
}

function newRow(position: number, step: ResolvedStep): StepRow {
  const name = step.name
  const none = { attempts: 0, compensationAttempts: 0, result: null }
  return { position, name, state: 'begun', ...none, isNew: true }
}

interface Change {
  readonly course: Move['course']
  readonly outcome: Move['outcome']
  readonly waitMs?: number
  readonly parked?: DeadReason
  readonly failures?: MoveJson['failures']
  readonly run?: NonNullable<MoveJson['run']>
  readonly isAtomic?: boolean
}

function moved(run: Run, rows: readonly StepRow[], change: Change): Move {
  const { course, outcome, waitMs = 0, failures = [], parked, isAtomic = false } = change
  return {
    run: withRows(run, rows),
    course,
    outcome,
    ...(parked !== undefined && { parked }),
    json: {
      steps: rows.map((row) => ({
        position: row.position,
        name: row.name,
        state: row.state,
        attempts: row.attempts,
        compensation_attempts: row.compensationAttempts,
        // The statement does not overwrite a result that is already stored.
        result: row.state === 'done' ? JSON.stringify(row.result) : null,
      })),
      failures,
      ...(change.run !== undefined && { run: change.run }),
      ...(isAtomic && { whole: true as const }),
      next: nextJson(course, waitMs),
    },
  }
}

function nextJson(course: Move['course'], ms: number): MoveJson['next'] {
  switch (course) {
    case 'go-on':
      return { kind: 'hold' }
    case 'wait':
      return { kind: 'wait', ms }
    case 'parked':
      return { kind: 'park' }
    case 'ended':
      return { kind: 'end' }
  }
}

function withRows(run: Run, rows: readonly StepRow[]): Run {
  const steps = new Map(run.steps)
  for (const row of rows) steps.set(row.position, row)
  return { ...run, lost: 0, steps }
}
