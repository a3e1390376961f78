import type { RunStateJson } from './find-run.ts'

/** A run as `saga_snapshot_2` writes it, for who drives it. */
export interface RunJson {
  readonly id: string
  readonly saga: string
  readonly version: number
  readonly definition: string
  readonly state: RunStateJson
  readonly input: unknown
  /** Of what caused it. */
  readonly traceparent: string | null
  readonly epoch: number
  /** The name of the last move on record. */
  readonly move: string
  readonly lost: number
  readonly steps: readonly StepJson[]
}

export interface StepJson {
  readonly position: number
  readonly name: string
  readonly state: StepStateJson
  readonly attempts: number
  readonly compensation_attempts: number
  readonly result: unknown
}

export type StepStateJson = 'begun' | 'undone' | 'done' | 'failed' | 'compensated'
