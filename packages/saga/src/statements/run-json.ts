import type { DeadReason } from '@oncekey/core'

/** A run as `saga_snapshot_2` returns it, for the process that drives it. */
export interface RunJson {
  readonly id: string
  readonly saga: string
  readonly version: number
  readonly definition: string
  readonly state: RunStateJson
  readonly input: unknown
  /** The trace context of what caused the run. */
  readonly traceparent: string | null
  readonly epoch: number
  /** The name of the last recorded move. */
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
  /** Only of a step that this process has just recorded: see `StepRow`. */
  readonly isNew?: true
}

export type StepStateJson = 'begun' | 'undone' | 'done' | 'failed' | 'compensated'

export type RunStateJson =
  | 'running'
  | 'compensating'
  | 'completed'
  | 'compensated'
  | 'stuck'
  | 'compensation-failed'
  | 'settled'

/** An error as stored. */
export interface FailureJson {
  readonly name: string
  readonly message: string
  readonly code?: string
  /** The details of a PermanentError; missing for other errors. */
  readonly details?: unknown
  readonly stack?: string
}

/** Why a run does not continue by itself. */
export interface StuckJson {
  readonly reason: DeadReason
  readonly step: string
  /** The error of the last attempt. */
  readonly error: Pick<FailureJson, 'name' | 'message' | 'code'>
  /** Equal for errors of the same kind. */
  readonly fingerprint: string
  readonly attempts: number
}
