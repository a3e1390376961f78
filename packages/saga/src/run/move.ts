import type { DeadReason } from '@oncekey/core'
import type { Definition, ResolvedStep } from '../definition/definition.ts'
import { delayMs } from '../definition/retry-policy.ts'
import type { StuckJson } from '../statements/find-run.ts'
import type { MoveJson } from '../statements/record-move.ts'
import { errorFingerprint } from './error-fingerprint.ts'
import { failureOf } from './failure.ts'
import { type Action, nextAction } from './next-action.ts'
import type { Run, StepRow } from './run.ts'

/** A change of a run, to be written in one statement, and the run as it is afterwards. */
export interface Move {
  readonly run: Run
  readonly json: MoveJson
  /** Goes on at once; waits; has ended; or waits for an operator. */
  readonly course: 'go-on' | 'wait' | 'ended' | 'parked'
  /** How the attempt went, for those who watch. */
  readonly outcome: 'begun' | 'done' | 'retry' | 'failed'
  readonly parked?: DeadReason
  /** The position of the step that was tried; none for a move that is no attempt's. */
  readonly own?: number
  /** It begins, or is, a step from which there is no way back: no cancellation may come between. */
  readonly isGuarded?: boolean
}

/**
 * Whether it has to be put on record first: a step that reaches outside, unless it is there. One that
 * was local when it failed before is `undone`, and begins like one that was never tried.
 */
export function isToBegin(run: Run, { direction, position, step }: Action): boolean {
  const state = run.steps.get(position)?.state
  return direction === 'run' && !step.local && (state === undefined || state === 'undone')
}

/** A step that reaches outside is on record before it runs, and its compensation with it. */
export function beginStep({ forwardFrom }: Definition, run: Run, { position, step }: Action): Move {
  const begun: StepRow = { ...(run.steps.get(position) ?? newRow(position, step)), state: 'begun' }
  const isGuarded = position >= forwardFrom
  return { ...moved(run, [begun], { course: 'go-on', outcome: 'begun' }), isGuarded }
}

/** An attempt that did what it should. `result` is JSON. */
export function succeeded(
  definition: Definition,
  run: Run,
  { direction, position, step, attempt }: Action,
  result: string,
): Move {
  const { forwardFrom } = definition
  const row = run.steps.get(position) ?? newRow(position, step)
  // All of it is in this commit: cancelled before, it has not happened.
  const isWhole = direction === 'run' && step.local && position >= forwardFrom
  const now: StepRow =
    direction === 'run'
      ? { ...row, state: 'done', attempts: attempt, result: JSON.parse(result) }
      : { ...row, state: 'compensated', compensationAttempts: attempt }
  const after = withRows(run, [now])
  const next = nextAction(definition, after)
  if (next === undefined) {
    const state = direction === 'run' ? 'completed' : 'compensated'
    const ending = { course: 'ended', outcome: 'done', run: { state, ended: true } } as const
    return { ...moved(run, [now], { ...ending, isWhole }), own: position }
  }
  // The next one is put on record by the same statement.
  const isNew = next.direction === 'run' && !next.step.local && !after.steps.has(next.position)
  const rows = isNew ? [now, newRow(next.position, next.step)] : [now]
  const isGuarded = direction === 'run' && rows.some((each) => each.position >= forwardFrom)
  const on = moved(run, rows, { course: 'go-on', outcome: 'done', isWhole })
  return { ...on, own: position, isGuarded }
}

/** An attempt that failed, and how. */
export interface Failure {
  readonly error: unknown
  readonly durationMs: number
  /**
   * `terminal`: it says itself that it did nothing that is left. `permanent`: another try cannot
   * help, and what it did is not known. `poison`: processes did not live to say. Any other: `transient`.
   */
  readonly kind: 'terminal' | 'permanent' | 'poison' | 'transient'
}

/**
 * What becomes of a run when an attempt has failed.
 *
 * Transient, and attempts are left: it waits. Otherwise, of a compensation: `compensation-failed`. Of a
 * step before the pivot: what was done is undone. Of the pivot: the same, if it is known to have done
 * nothing; else nobody can say which way to go, and it waits for somebody who finds out. After the
 * pivot there is no way back, and it waits for somebody who makes it possible to go on.
 */
export function failed(definition: Definition, run: Run, action: Action, failure: Failure): Move {
  return { ...afterFailure(definition, run, action, failure), own: action.position }
}

function afterFailure(definition: Definition, run: Run, action: Action, failure: Failure): Move {
  const { direction, position, step, attempt } = action
  const policy = direction === 'run' ? step.retry : step.compensationRetry
  const row = run.steps.get(position) ?? newRow(position, step)
  // Local now, and on record as begun: a release before reached outside in it.
  const isRolledBack = step.local && run.steps.get(position)?.state !== 'begun'
  const counted: StepRow =
    direction === 'run'
      ? { ...row, attempts: attempt, state: isRolledBack ? 'undone' : row.state }
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

/** A run with nothing to do: a crash came between the last step and the end, or an operator did. */
export function ended(run: Run): Move {
  const state = run.state === 'running' ? 'completed' : 'compensated'
  return moved(run, [], { course: 'ended', outcome: 'done', run: { state, ended: true } })
}

/** Lets others have it, from now on. */
export function letGo(run: Run): Move {
  return moved(run, [], { course: 'wait', outcome: 'begun', waitMs: 0 })
}

/**
 * An attempt that the end of its process cut short, and that counts for nothing. Others may go on
 * at once where it has ended (`now`), and when the lease is over where it may still be doing something.
 */
export function givenBack(run: Run, { now }: { readonly now: boolean }): Move {
  const move = letGo(run)
  return { ...move, json: { ...move.json, next: { kind: 'give-back', now } } }
}

/** Before the pivot always; at the pivot only if it is known to have done nothing. */
function canGoBack(step: ResolvedStep, failure: Failure, isRolledBack: boolean): boolean {
  if (step.kind === 'retriable') return false
  return step.kind === 'compensatable' || isRolledBack || failure.kind === 'terminal'
}

function deadReason({ kind }: Failure): DeadReason {
  if (kind === 'poison') return 'poison'
  return kind === 'transient' ? 'exhausted' : 'permanent'
}

/** Why it waits for a person, with what is needed to find others like it. */
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
  return { position, name, state: 'begun', attempts: 0, compensationAttempts: 0, result: null }
}

interface Change {
  readonly course: Move['course']
  readonly outcome: Move['outcome']
  readonly waitMs?: number
  readonly parked?: DeadReason
  readonly failures?: MoveJson['failures']
  readonly run?: NonNullable<MoveJson['run']>
  readonly isWhole?: boolean
}

function moved(run: Run, rows: readonly StepRow[], change: Change): Move {
  const { course, outcome, waitMs = 0, failures = [], parked, isWhole = false } = change
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
        // Once; the statement keeps it.
        result: row.state === 'done' ? JSON.stringify(row.result) : null,
      })),
      failures,
      ...(change.run !== undefined && { run: change.run }),
      ...(isWhole && { whole: true as const }),
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
