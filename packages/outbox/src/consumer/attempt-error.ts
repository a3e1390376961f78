import { hash } from 'node:crypto'
import { inspect } from 'node:util'
import type { AttemptError } from '@oncekey/core'

/**
 * Turns any thrown value into the error that the log stores: text of bounded length. The value need
 * not be an Error, and reading an Error's properties may itself throw.
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
  const chain = [
    error.stack ?? `${error.name}: ${error.message}`,
    ...causesOf(error, new Set([error])),
  ]
  return kept(
    String(error.name),
    String(error.message),
    typeof code === 'string' || typeof code === 'number' ? String(code) : null,
    chain.join('\n'),
  )
}

function ofValue(thrown: unknown): AttemptError {
  return kept('NonError', `${described(thrown)} was thrown, which is not an Error.`, null, null)
}

/** The causes of an error and the errors of an AggregateError: each once, at most 20. */
function causesOf(error: Error, seen: Set<unknown>): string[] {
  const errors: unknown = Reflect.get(error, 'errors')
  const inside = Array.isArray(errors) ? errors.slice(0, MOST_ERRORS) : []
  const found: string[] = []
  const add = (what: string, value: unknown): void => {
    if (seen.has(value) || seen.size > MOST_CAUSES) return
    seen.add(value)
    found.push(`[${what}] ${described(value)}`)
    if (value instanceof Error) found.push(...causesOf(value, seen))
  }
  for (const [at, each] of inside.entries()) add(`errors ${at}`, each)
  if (error.cause !== undefined) add('cause', error.cause)
  return found
}

/** Text for any value, even a circular object, a BigInt, or an object whose getters throw. */
function described(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Error) return value.stack ?? `${value.name}: ${value.message}`
  return inspect(value, { depth: 3, maxArrayLength: 20, maxStringLength: 500, breakLength: 120 })
}

const MOST_ERRORS = 10
const MOST_CAUSES = 20

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

/**
 * A fingerprint that is equal for errors whose messages differ only in ids, numbers and quoted
 * values.
 */
function fingerprintOf(name: string, code: string | null, message: string): string {
  const kind = message
    .slice(0, 500)
    .replace(/(["'`]).*?\1/g, '…')
    .replace(/\b[0-9a-f]{8,}(?:-[0-9a-f]+)*\b/gi, '…')
    .replace(/\d+/g, '…')
  return hash('sha256', JSON.stringify([name, code, kind])).slice(0, 16)
}
