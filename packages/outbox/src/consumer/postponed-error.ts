/** Whether a thrown value is a `PostponedError`. `instanceof` itself throws for some proxies. */
export function isPostponed(thrown: unknown): thrown is PostponedError {
  try {
    return thrown instanceof PostponedError
  } catch {
    return false
  }
}

/**
 * An event was not tried because its destination is waiting. It is retried, and no attempt is
 * counted.
 */
export class PostponedError extends Error {
  override readonly name = 'PostponedError'
  readonly delayMs: number

  constructor(message: string, delayMs: number, cause: unknown) {
    super(message, { cause })
    this.delayMs = delayMs
  }
}
