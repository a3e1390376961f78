import { OncekeyError } from '@oncekey/core'
import { PermanentError } from '@oncekey/outbox'
import type { FailureJson } from '../statements/run-json.ts'

/**
 * An error in the form that is stored with a run, for operators and for callers that wait for the
 * run. Never throws: what was thrown need not be an Error, and its properties may throw when read.
 */
export function failureOf(thrown: unknown): FailureJson {
  try {
    return readFailure(thrown)
  } catch {
    return { name: 'UnreadableError', message: 'What was thrown could not be read.' }
  }
}

function readFailure(error: unknown): FailureJson {
  const { name, message, stack, code } = partsOf(error)
  const details = error instanceof PermanentError ? detailsOf(error.details) : undefined
  return {
    name: text(name, 200),
    message: text(message, 2_000),
    ...(code !== undefined && { code: text(code, 200) }),
    ...(details !== undefined && { details }),
    ...(stack !== undefined && { stack: text(stack, 4_000) }),
  }
}

/** Makes an error of the stored form, for callers that wait for the run. */
export function errorOf(failure: FailureJson): Error {
  const error =
    failure.name === 'PermanentError'
      ? new PermanentError(failure.message, { details: failure.details })
      : Object.assign(new Error(failure.message), { name: failure.name })
  if (failure.code !== undefined) Object.assign(error, { code: failure.code })
  if (failure.stack !== undefined) error.stack = failure.stack
  return error
}

function partsOf(error: unknown): { name: string; message: string; stack?: string; code?: string } {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const stack = error.stack === undefined ? {} : { stack: error.stack }
  return { name: error.name, message: error.message, ...stack, ...code }
}

/**
 * Replaces details that cannot be stored by a note, so that the error itself can still be stored.
 */
function detailsOf(details: unknown): unknown {
  if (details === undefined) return undefined
  try {
    const json = JSON.stringify(details)
    if (json !== undefined && json.length <= 16_384) return JSON.parse(json)
  } catch {
    // The note below replaces them.
  }
  return { notKept: 'details are over 16 KB, or are not JSON' }
}

/** Shortens the text and removes what a Postgres text column refuses. */
function text(value: string, max: number): string {
  return String(value).replaceAll('\0', '').toWellFormed().slice(0, max).toWellFormed()
}

/** Whether a thrown value is of this class. For some proxies `instanceof` itself throws. */
export function isA<Kind>(kind: new (...given: never[]) => Kind, thrown: unknown): thrown is Kind {
  try {
    return thrown instanceof kind
  } catch {
    return false
  }
}

export function isResultInvalid(error: unknown): boolean {
  return isA(OncekeyError, error) && error.code === 'saga-result-invalid'
}
