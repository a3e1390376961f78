import { inspect } from 'node:util'
import { OncekeyError, OptionsError } from '../errors.ts'

/**
 * Calls an option that is a function of the app's: the one way in which `scope`, `key`, `fingerprint`,
 * `whenUnknown`, `redact` and all others are called. It may answer at once or with a promise; without
 * one there is none here either, so that a function which needs no time costs none.
 *
 * What comes back is checked before anything is made of it. Throws what the function throws;
 * `options-invalid`, from `check`, for what it must not return; and `option-timeout` where it takes
 * longer than a handler may.
 */
export function callOption<Value>(
  option: string,
  limitMs: number,
  call: () => unknown,
  check: (returned: unknown) => Value,
): Value | Promise<Value> {
  const returned = call()
  return isPromise(returned) ? withinTime(option, limitMs, returned).then(check) : check(returned)
}

/** The answer of an option, where it is one that takes its time. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

/** Rejects with `option-timeout` when the promise has not settled in time. */
export function withinTime<Value>(
  option: string,
  limitMs: number,
  answer: PromiseLike<Value>,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new OncekeyError('option-timeout', `${option}() took longer than ${limitMs / 1000} s.`),
      )
    }, limitMs)
    answer.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

/** What is wrong with what an option returned, and what it must return instead. */
export function returnedWrongly(option: string, returned: unknown, must: string): OptionsError {
  const shown =
    typeof returned === 'string' ? JSON.stringify(returned) : inspect(returned, { depth: 0 })
  return new OptionsError(`${option}() must return ${must}, not ${shown}.`)
}

/**
 * For options that are called once a handler has answered: whatever they throw then is no word to the
 * client, so it is told as `option-failed`, with the option's name and the error as its cause.
 */
export function afterHandler<Value>(
  option: string,
  call: () => Value | Promise<Value>,
): Value | Promise<Value> {
  const named = (cause: unknown): never => {
    if (cause instanceof OptionsError || cause instanceof OncekeyError) throw cause
    throw new OncekeyError('option-failed', `${option}() threw: see the cause of this error.`, {
      cause,
    })
  }
  try {
    const value = call()
    return isPromise(value) ? (value.then(undefined, named) as Promise<Value>) : value
  } catch (error) {
    return named(error)
  }
}
