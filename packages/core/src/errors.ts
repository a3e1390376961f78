/**
 * Everything that can go wrong has one code, here; each has a row in `docs/errors.md`.
 * Codes that are answered over HTTP have their status in `problem.ts`.
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
  | 'seal-key-missing'
  | 'seal-broken'
  | 'transaction-over'
  | 'transaction-unsupported'
  | 'transaction-control'
  | 'address-forbidden'
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
  // how a saga stands that somebody waits for
  | 'saga-in-progress'
  | 'saga-compensated'
  | 'saga-compensation-failed'
  | 'saga-stuck'
  | 'saga-settled'
  // outcomes and failures a client is told about
  | ProblemCode

/** The codes a client can meet, each answered as RFC 9457 problem details. */
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
 * The one error class: `code` tells which, `cause` why. `instanceof` goes by what an error says of itself
 * and not by which copy of this package made it: two are in a process more often than one thinks.
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
    // biome-ignore lint/complexity/noThisInStatic: of a class that extends this one it is that class
    return isInstance(OncekeyError, this, value)
  }
}

/** Options that cannot work, said at construction: the message tells what to write instead. */
export class OptionsError extends TypeError {
  readonly code: 'options-invalid' = 'options-invalid'

  constructor(message: string) {
    super(message)
    this.name = 'OptionsError'
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: of a class that extends this one it is that class
    return isInstance(OptionsError, this, value)
  }
}

/** By name and code for the class itself; a class that extends it is told by its prototype, as any. */
function isInstance(
  base: typeof OncekeyError | typeof OptionsError,
  asked: unknown,
  value: unknown,
): boolean {
  if (asked !== base) return Function.prototype[Symbol.hasInstance].call(asked as never, value)
  if (!(value instanceof Error)) return false
  return value.name === base.name && typeof (value as { code?: unknown }).code === 'string'
}
