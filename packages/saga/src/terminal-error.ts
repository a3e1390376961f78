/**
 * What a step throws when the saga cannot go on and what was done must be undone; other errors are
 * retried. It says that the step itself did nothing that is left: a card that was declined, an
 * address that does not exist. Whoever waits for the saga finds it as the `cause`, with its
 * `details`, also when another process, or a later retry of the request, does the waiting.
 *
 * @example
 * ```ts
 * if (answer.status === 402) throw new TerminalError('card declined', { details: { code: 'declined' } })
 * ```
 */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
  /** Any JSON value; kept with the run. */
  readonly details: unknown

  constructor(message: string, options: { cause?: unknown; details?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : {})
    this.details = options.details
  }
}
