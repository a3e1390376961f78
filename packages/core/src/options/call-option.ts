import { inspect } from 'node:util'
import { OncekeyError, OptionsError } from '../errors/errors.ts'
import { callLater } from '../time/durations.ts'
import { isPromise } from './check-option.ts'

/**
 * Calls an option that is a function of the app. Every such option (`scope`, `key`, `fingerprint`,
 * `whenUnknown`, `redact`, …) is called through here. It may return a value or a promise; for a
 * value no promise is made, so a synchronous option costs nothing extra.
 *
 * `check` validates what comes back before it is used. Throws what the function throws;
 * `options-invalid`, from `check`, for an invalid return value; and `option-timeout` if it takes
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

/** Rejects with `option-timeout` if the promise takes longer than `limitMs`. */
export function withinTime<Value>(
  option: string,
  limitMs: number,
  pending: PromiseLike<Value>,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = callLater(() => {
      reject(
        new OncekeyError('option-timeout', `${option}() took longer than ${limitMs / 1000} s.`),
      )
    }, limitMs)
    pending.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}

/**
 * What a function of the app threw before the handler, as something that counts as an error
 * everywhere. Frameworks that are told of errors by a callback (Express, Connect, Fastify) take
 * `undefined` and other falsy values for "no error" and go on with the handler, and Koa does not
 * answer them at all.
 */
export function asError(thrown: unknown): unknown {
  if (thrown) return thrown
  return new OncekeyError(
    'option-failed',
    `A function of the options threw ${inspect(thrown)}, or rejected with it, instead of an error.`,
    { cause: thrown },
  )
}

/** Makes the error for an invalid return value of an option; `must` says what to return instead. */
export function returnedWrongly(option: string, returned: unknown, must: string): OptionsError {
  const shown =
    typeof returned === 'string' ? JSON.stringify(returned) : inspect(returned, { depth: 0 })
  return new OptionsError(`${option}() must return ${must}, not ${shown}.`)
}

/**
 * Calls an option after the handler has answered. Its error must not reach the client as it is, so
 * it becomes `option-failed`, with the option's name and the error as its cause.
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
