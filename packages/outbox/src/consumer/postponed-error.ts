/** Whether a thrown value is a `PostponedError`. For some proxies `instanceof` itself throws. */
export function isPostponed(thrown: unknown): thrown is PostponedError {
  try {
    return thrown instanceof PostponedError
  } catch {
    return false
  }
}

/**
 * The event was not sent, because its destination is waiting to be tried again. The event is
 * retried, and no attempt is counted.
 */
export class PostponedError extends Error {
  override readonly name = 'PostponedError'
  readonly delayMs: number

  constructor(message: string, delayMs: number, cause: unknown) {
    super(message, { cause })
    this.delayMs = delayMs
  }
}
