/**
 * Thrown by a consumer or a saga step when retrying cannot help; any other error is retried.
 *
 * In a consumer it makes the event a dead letter at once. In a saga step it also means that the
 * step left nothing behind: a card was declined, an address does not exist. The saga cannot go on,
 * and is undone: first this step is compensated, if it is not local and has a compensation, then
 * the steps before it. After the pivot the run becomes stuck instead, and at a pivot outside the
 * database, if an earlier attempt may have had an effect and the error does not say that it is
 * `ofEveryAttempt`. A caller that waits for the saga gets the error as the `cause`, with its
 * `details`, even if it waits in another process or in a later retry of the request.
 *
 * @example
 * ```ts
 * if (!isEmail(to)) throw new PermanentError(`"${to}" is not an address.`)
 * if (answer.status === 402) throw new PermanentError('declined', { details: { code: 'card' } })
 * ```
 */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'
  /**
   * Stored with the saga's run, as `JSON.stringify` writes it. Over 16 KB, or what that refuses (a
   * BigInt), is stored as `{ notKept }`.
   */
  readonly details: unknown
  /**
   * Whether no attempt of the step left anything behind, and not only this one. To be said where
   * the service that was called keeps the idempotency key: it would have repeated an earlier
   * success. Not of errors that it gives before it looks at the key, such as a 401.
   */
  readonly ofEveryAttempt: boolean

  constructor(
    message: string,
    options: { cause?: unknown; details?: unknown; ofEveryAttempt?: boolean } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : {})
    this.details = options.details
    this.ofEveryAttempt = options.ofEveryAttempt === true
  }

  /**
   * Also true for an error of another copy of this package, as there may be in two bundles. For a
   * class that extends it, the prototype decides.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: in a subclass `this` is the subclass
    return isInstance(this, value)
  }
}

function isInstance(asked: unknown, value: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(asked as never, value)) return true
  if (asked !== PermanentError || !(value instanceof Error)) return false
  return value.name === 'PermanentError' && 'details' in value
}
