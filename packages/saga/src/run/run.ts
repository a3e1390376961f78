import type { RunJson, StepJson } from '../statements/run-json.ts'

/** A run as who drives it sees it. */
export interface Run {
  readonly id: string
  readonly saga: string
  readonly version: number
  readonly definition: string
  readonly state: 'running' | 'compensating'
  readonly input: unknown
  /** Of what caused it; its events carry it. */
  readonly traceparent: string | undefined
  /** How many processes vanished with it since it last came forward. */
  readonly lost: number
  /** By position; of those that were begun. */
  readonly steps: ReadonlyMap<number, StepRow>
}

/** A step that was begun. */
export interface StepRow {
  readonly position: number
  readonly name: string
  readonly state: StepState
  /** That failed, or the one that did not. */
  readonly attempts: number
  readonly compensationAttempts: number
  readonly result: unknown
}

/**
 * - `begun`: it is on record, and what it did outside is not known.
 * - `undone`: an attempt failed, and all it did was rolled back.
 * - `done`: it did what it should.
 * - `failed`: it failed for good; what it did outside is not known.
 * - `compensated`: it was undone.
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
  }
}
