import { OncekeyError } from '@oncekey/core'

/** How a saga stands that somebody waits for and that has no result. */
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
 * Why `execute` has no result. `cause` is the error of the step that failed for good: a
 * {@link PermanentError} with its details, or another error by name and message, as it was kept.
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
  /** The step that failed for good, where there is one. */
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
