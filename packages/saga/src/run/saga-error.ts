import { OncekeyError } from '@oncekey/core'

/** Why a run has no result for the caller that waits for it. */
export type SagaErrorCode =
  | 'saga-in-progress'
  | 'saga-compensated'
  | 'saga-compensation-failed'
  | 'saga-stuck'
  | 'saga-settled'
  | 'saga-unknown'
  | 'saga-input-mismatch'
  | 'saga-past-pivot'

/**
 * Thrown by `execute` when a run has no result. `cause` is the error of the step that failed for
 * good, rebuilt from storage: a {@link PermanentError} with its details, or another error by name
 * and message.
 *
 * @example
 * ```ts
 * try {
 *   res.status(201).json(await sagas.execute(order, { context: once.of(req), input: req.body }))
 * } catch (error) {
 *   if (!(error instanceof SagaError && error.code === 'saga-compensated')) throw error
 *   res.status(402).json({ step: error.step, why: error.cause?.message })
 * }
 * ```
 */
export class SagaError extends OncekeyError {
  declare readonly code: SagaErrorCode
  declare readonly cause?: Error
  readonly runId: string
  /** The step that failed for good, if any. */
  readonly step: string | undefined

  constructor(
    code: SagaErrorCode,
    message: string,
    about: { readonly runId: string; readonly step?: string | undefined; readonly cause?: Error },
  ) {
    super(code, message, about.cause === undefined ? {} : { cause: about.cause })
    this.name = 'SagaError'
    this.runId = about.runId
    this.step = about.step
  }
}
