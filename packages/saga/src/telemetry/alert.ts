import type { DeadReason } from '@oncekey/core'
import type { FailureJson } from '../statements/find-run.ts'

/** A run that needs a person. */
export interface SagaAlert {
  /**
   * - `stuck`: it can neither go on nor back.
   * - `compensation-failed`: what was done could not be undone.
   * - `definition-unknown`: it is due, and no saga that is registered here is the one it began with.
   */
  readonly kind: 'stuck' | 'compensation-failed' | 'definition-unknown'
  readonly runId: string
  readonly saga: string
  readonly version: number
  readonly step?: string
  readonly reason?: DeadReason
  readonly error?: FailureJson
  /** In words: what it is, and what to do. */
  readonly message: string
}
