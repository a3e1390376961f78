import { inspect } from 'node:util'
import { OptionsError } from '../errors/errors.ts'

/** A token of HTTP: the name of a header or a method (RFC 9110 section 5.6.2). */
export const TOKEN: RegExp = /^[!#$%&'*+.^_`|~\w-]+$/

/** Checks the name of a header. Throws {@link OptionsError}, as all checks in this file do. */
export function httpToken(option: string, value: string): string {
  if (typeof value !== 'string' || !TOKEN.test(value)) {
    throw new OptionsError(
      `${option} must be the name of a header, such as 'Idempotency-Key', not ${shown(value)}.`,
    )
  }
  return value
}

/** Checks printable ASCII text without spaces, of at most `most` characters. */
export function word(option: string, value: string, most: number): string {
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value) || value.length > most) {
    throw new OptionsError(
      `${option} must be 1 to ${most} printable ASCII characters without spaces, not ${shown(value)}.`,
    )
  }
  return value
}

/** Checks a boolean. */
export function flag(option: string, value: boolean): boolean {
  if (typeof value !== 'boolean')
    throw new OptionsError(`${option} must be true or false, not ${shown(value)}.`)
  return value
}

/** Checks an optional function. */
export function callback<Callback>(
  option: string,
  value: Callback | undefined,
): Callback | undefined {
  if (value !== undefined && typeof value !== 'function')
    throw new OptionsError(`${option} must be a function, not ${shown(value)}.`)
  return value
}

/**
 * Checks a time in milliseconds. A timer must be able to wait twice as long, because `setTimeout`
 * fires at once above 2^31 - 1 ms.
 */
export function milliseconds(option: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least || value * 2 > 2 ** 31 - 1) {
    throw new OptionsError(
      `${option} must be a whole number of milliseconds from ${least} to 1_073_741_823, not ${shown(value)}.`,
    )
  }
  return value
}

/** Checks a positive whole number, such as a number of bytes. */
export function positive(
  option: string,
  value: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new OptionsError(`${option} must be a positive whole number, not ${shown(value)}.`)
  if (value > most)
    throw new OptionsError(`${option} must be ${most} at most, not ${shown(value)}.`)
  return value
}

/**
 * The most bytes of a response, 128 MiB. Stores read a body back as text of twice its length, and
 * no string of V8 is longer than 512 MiB: a driver that receives one throws where nobody can catch
 * it, which ends the process.
 */
export const MOST_RESPONSE_BYTES = 134_217_728

/** Checks a whole number; by default it may be as large as an `integer` of PostgreSQL. */
export function wholeNumber(
  option: string,
  value: number,
  least: number,
  most: number = 2 ** 31 - 1,
): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new OptionsError(
    `${option} must be a whole number from ${least} to ${most}, not ${shown(value)}.`,
  )
}

/** Checks a choice among constants. */
export function oneOf<Choice extends string>(
  option: string,
  value: Choice,
  choices: readonly Choice[],
): Choice {
  if (!choices.includes(value)) {
    throw new OptionsError(
      `${option} must be ${choices.map((choice) => `'${choice}'`).join(' or ')}, not ${shown(value)}.`,
    )
  }
  return value
}

/** A value as error messages show it. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 0 })
}

/** Whether a function of the app returned a promise. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false
  return typeof (value as PromiseLike<unknown>).then === 'function'
}

/**
 * Gives a promise that the app may not await yet a handler, so that its rejection never ends the
 * process. It is thrown where it is awaited.
 */
export function heard<Answer extends PromiseLike<unknown>>(promise: Answer): Answer {
  promise.then(undefined, () => {})
  return promise
}

/**
 * Returns what a function of the app returned that must answer at once. If that is a promise,
 * nobody will wait for it, and without this it would end the process if it rejects.
 */
export function atOnce<Value>(returned: Value): Value {
  if (isPromise(returned)) heard(returned)
  return returned
}
