import type { RunJson, StepJson } from '../statements/run-json.ts'

/** The state of a run, as known to the process that drives it. */
export interface Run {
  readonly id: string
  readonly saga: string
  readonly version: number
  readonly definition: string
  readonly state: 'running' | 'compensating'
  readonly input: unknown
  /** The trace context of what caused the run; the run's events have it too. */
  readonly traceparent: string | undefined
  /** How many processes have died while driving the run since its last recorded move. */
  readonly lost: number
  /** The steps that were begun, by position. */
  readonly steps: ReadonlyMap<number, StepRow>
}

/** A step that was begun. */
export interface StepRow {
  readonly position: number
  readonly name: string
  readonly state: StepState
  /** How many attempts failed, plus the successful one if there was one. */
  readonly attempts: number
  readonly compensationAttempts: number
  readonly result: unknown
  /**
   * Set if this process has just recorded the step as `begun`, so that it has not been attempted
   * yet. Never set in a run that was claimed or read again: whoever had it may have attempted the
   * step, and that attempt may not be on record.
   */
  readonly isNew?: true
}

/**
 * - `begun`: recorded; its effects outside the database are unknown.
 * - `undone`: an attempt failed, and the transaction with all its effects was rolled back; or the
 *   run was given back before the first attempt.
 * - `done`: it succeeded.
 * - `failed`: it failed for good; its effects outside the database are unknown.
 * - `compensated`: its compensation succeeded.
 */
export type StepState = 'begun' | 'undone' | 'done' | 'failed' | 'compensated'

export function runOf(json: RunJson): Run {
  return {
    id: json.id,
    saga: json.saga,
    version: json.version,
    definition: json.definition,
    state: json.state === 'compensating' ? 'compensating' : 'running',
    input: json.input,
    traceparent: json.traceparent ?? undefined,
    lost: json.lost,
    steps: new Map(json.steps.map((step) => [step.position, stepOf(step)])),
  }
}

function stepOf(json: StepJson): StepRow {
  return {
    position: json.position,
    name: json.name,
    state: json.state,
    attempts: json.attempts,
    compensationAttempts: json.compensation_attempts,
    result: json.result,
    ...(json.isNew === true && { isNew: true }),
  }
}
