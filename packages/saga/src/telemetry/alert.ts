import type { DeadReason } from '@oncekey/core'
import type { FailureJson } from '../statements/run-json.ts'

/** `oncekey:saga-alert`: a run needs a person. */
export interface SagaAlert {
  /**
   * - `stuck`: it can neither go forward nor be undone.
   * - `compensation-failed`: a compensation failed for good.
   * - `definition-unknown`: it is due, and the saga with which it was started is not registered
   *   here.
   */
  readonly kind: 'stuck' | 'compensation-failed' | 'definition-unknown'
  readonly runId: string
  readonly saga: string
  readonly version: number
  readonly step?: string
  readonly reason?: DeadReason
  readonly error?: FailureJson
  /** The text for a person: what happened, and what to do. */
  readonly message: string
}
