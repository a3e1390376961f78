/**
 * Why a call ended without an answer:
 * - `attempts-exhausted`: the last allowed attempt failed too;
 * - `deadline-exceeded`: no time is left for another attempt;
 * - `request-too-large`: a body that can be read only once does not fit into memory; nothing was
 *   sent;
 * - `storage-failed`: the pending key could not be stored; nothing was sent;
 * - `key-expired`: an earlier call of the operation may have taken effect, and its key is too old
 *   to be sent again; nothing was sent.
 */
export type RetryErrorCode =
  | 'attempts-exhausted'
  | 'deadline-exceeded'
  | 'request-too-large'
  | 'storage-failed'
  | 'key-expired'

/**
 * No answer arrived. With `attempts` above 0 the request may have taken effect: send it again with
 * `key`, not with a new one. Of `key-expired` an earlier call may have taken effect: find out
 * whether it did, and only then run the operation again, with `forgetKey: error.key`.
 *
 * @example
 * ```ts
 * try {
 *   await fetch('/orders', { method: 'POST', body })
 * } catch (error) {
 *   if (error instanceof RetryError && error.attempts > 0) {
 *     await retryLater({ idempotencyKey: error.key })
 *   } else throw error
 * }
 * ```
 */
export class RetryError extends Error {
  readonly code: RetryErrorCode
  /** How many requests were sent. */
  readonly attempts: number
  /**
   * The call's key, or of `key-expired` the old one; undefined if the call ended before it had one.
   */
  readonly key: string | undefined

  constructor(
    code: RetryErrorCode,
    message: string,
    facts: {
      readonly attempts: number
      readonly key: string | undefined
      readonly cause?: unknown
    },
  ) {
    super(message, { cause: facts.cause })
    this.name = 'RetryError'
    this.code = code
    this.attempts = facts.attempts
    this.key = facts.key
  }
}

/**
 * Thrown before anything is sent, for options or calls that cannot work. The message says what to
 * write instead.
 */
export class OptionsError extends TypeError {
  readonly code: 'options-invalid' = 'options-invalid'

  constructor(message: string) {
    super(message)
    this.name = 'OptionsError'
  }
}
