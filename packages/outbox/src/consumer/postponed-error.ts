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

  /**
   * Also true for an error of another copy of this package: a publisher and the relay that runs it
   * may be in two bundles. For a class that extends it, the prototype decides.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: in a subclass `this` is the subclass
    return isInstance(this, value)
  }
}

function isInstance(asked: unknown, value: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(asked as never, value)) return true
  if (asked !== PostponedError || !(value instanceof Error)) return false
  return value.name === 'PostponedError' && typeof Reflect.get(value, 'delayMs') === 'number'
}
