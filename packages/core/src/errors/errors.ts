/**
 * Every error has one code, listed here and in `docs/errors.md`. The HTTP statuses of the codes
 * that a client can get are in `response/problem.ts`.
 */
export type ErrorCode =
  // misuse: the code that uses Oncekey has to change
  | 'options-invalid'
  | 'option-timeout'
  | 'scope-invalid'
  | 'body-unseen'
  | 'fingerprint-required'
  | 'mounted-twice'
  | 'not-covered'
  | 'event-invalid'
  | 'attempt-over'
  | 'result-invalid'
  | 'no-result'
  | 'seal-key-missing'
  | 'seal-broken'
  | 'transaction-over'
  | 'transaction-unsupported'
  | 'list-unsupported'
  | 'transaction-control'
  | 'address-forbidden'
  | 'too-many-endpoints'
  | 'name-servers-unavailable'
  | 'proxy-unavailable'
  | 'proxy-refused'
  | 'delivery-timeout'
  | 'event-taken-in'
  | 'lease-lost'
  | 'log-restored'
  | 'subscription-changed'
  | 'store-not-migrated'
  | 'store-too-new'
  | 'saga-unknown'
  | 'saga-input-mismatch'
  | 'saga-result-invalid'
  | 'saga-past-pivot'
  // the state of a saga that somebody waits for
  | 'saga-in-progress'
  | 'saga-compensated'
  | 'saga-compensation-failed'
  | 'saga-stuck'
  | 'saga-settled'
  // outcomes and failures that a client is told about
  | ProblemCode

/** The codes that a client can get, each as RFC 9457 problem details. */
export type ProblemCode =
  | 'not-authentic'
  | 'key-missing'
  | 'key-invalid'
  | 'key-reused'
  | 'request-too-large'
  | 'body-unsupported'
  | 'in-progress'
  | 'outcome-unknown'
  | 'result-gone'
  | 'response-too-large'
  | 'transaction-aborted'
  | 'transaction-ended'
  | 'option-failed'
  | 'handler-timeout'
  | 'store-busy'
  | 'store-unavailable'
  | 'commit-failed'
  | 'draining'

/**
 * Thrown for whatever fails at run time: `code` says what went wrong, `cause` why. Options that
 * cannot work throw {@link OptionsError}. `instanceof` compares name and code instead of the class,
 * because a process often contains two copies of this package.
 *
 * @example
 * ```ts
 * try {
 *   await runJob()
 * } catch (error) {
 *   if (error instanceof OncekeyError && error.code === 'in-progress') await retryLater()
 *   else throw error
 * }
 * ```
 */
export class OncekeyError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'OncekeyError'
    this.code = code
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: in a subclass `this` is the subclass
    return isInstance(OncekeyError, this, value)
  }
}

/** Thrown at construction for options that cannot work. The message says what to write instead. */
export class OptionsError extends TypeError {
  readonly code: 'options-invalid' = 'options-invalid'

  constructor(message: string) {
    super(message)
    this.name = 'OptionsError'
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: in a subclass `this` is the subclass
    return isInstance(OptionsError, this, value)
  }
}

/**
 * For the class itself, compares name and code. For a class that extends it, the prototype decides.
 */
function isInstance(
  base: typeof OncekeyError | typeof OptionsError,
  asked: unknown,
  value: unknown,
): boolean {
  if (asked !== base) return Function.prototype[Symbol.hasInstance].call(asked as never, value)
  if (!(value instanceof Error)) return false
  return value.name === base.name && typeof (value as { code?: unknown }).code === 'string'
}
