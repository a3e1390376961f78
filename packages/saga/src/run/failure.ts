import { OncekeyError } from '@oncekey/core'
import { PermanentError } from '@oncekey/outbox'
import type { FailureJson } from '../statements/find-run.ts'

/** An error as it is kept with a run: what a person, or whoever waits, needs of it. */
export function failureOf(error: unknown): FailureJson {
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

/** The error again, for whoever waits for the run. */
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

/** Details that cannot be kept are said to be missing rather than lose the error they belong to. */
function detailsOf(details: unknown): unknown {
  if (details === undefined) return undefined
  try {
    const json = JSON.stringify(details)
    if (json !== undefined && json.length <= 16_384) return JSON.parse(json)
  } catch {
    // Said below.
  }
  return { notKept: 'details are over 16 KB, or are not JSON' }
}

/** What a text column takes, and no more than anybody reads. */
function text(value: string, max: number): string {
  return String(value).replaceAll('\0', '').toWellFormed().slice(0, max).toWellFormed()
}

export function isResultInvalid(error: unknown): boolean {
  return error instanceof OncekeyError && error.code === 'saga-result-invalid'
}
