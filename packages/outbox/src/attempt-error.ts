import { hash } from 'node:crypto'
import type { AttemptError } from '@oncekey/core'

/**
 * Whatever was thrown, as what is kept of it: text of bounded length. Not all that is thrown is an
 * error, and not every error can be asked without throwing.
 */
export function attemptError(thrown: unknown): AttemptError {
  try {
    return thrown instanceof Error ? ofError(thrown) : ofValue(thrown)
  } catch {
    return kept('UnreadableError', 'What was thrown could not be read.', null, null)
  }
}

function ofError(error: Error): AttemptError {
  const code: unknown = Reflect.get(error, 'code')
  const cause = error.cause === undefined ? '' : `\n[cause] ${described(error.cause)}`
  return kept(
    String(error.name),
    String(error.message),
    typeof code === 'string' || typeof code === 'number' ? String(code) : null,
    error.stack === undefined ? null : `${error.stack}${cause}`,
  )
}

function ofValue(thrown: unknown): AttemptError {
  return kept('NonError', `${described(thrown)} was thrown, which is not an Error.`, null, null)
}

function described(value: unknown): string {
  if (value instanceof Error) return value.stack ?? String(value)
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
}

function kept(
  name: string,
  message: string,
  code: string | null,
  stack: string | null,
): AttemptError {
  return {
    name: name.slice(0, 200),
    message: message.slice(0, 2_000),
    code: code?.slice(0, 200) ?? null,
    stack: stack?.slice(0, 8_000) ?? null,
    fingerprint: fingerprintOf(name, code, message),
  }
}

/** Errors of one kind differ in the ids, numbers and quoted values of their messages. */
function fingerprintOf(name: string, code: string | null, message: string): string {
  const kind = message
    .slice(0, 500)
    .replace(/(["'`]).*?\1/g, '…')
    .replace(/\b[0-9a-f]{8,}(?:-[0-9a-f]+)*\b/gi, '…')
    .replace(/\d+/g, '…')
  return hash('sha256', JSON.stringify([name, code, kind])).slice(0, 16)
}
