import { OncekeyError } from '@oncekey/core'

/**
 * Checks a result or an input and returns it as JSON text. Values that JSON would change are
 * refused: a Date, for example, would become a string, but only in a process that resumes the run
 * and reads the stored value. `undefined` is stored as null. Throws `saga-result-invalid`.
 */
export function jsonText(what: string, value: unknown, maxBytes: number): string {
  const problem = firstProblem(value, '', new Set())
  if (problem !== undefined) {
    throw new OncekeyError('saga-result-invalid', `${what} is not JSON: ${problem}.`)
  }
  const text = JSON.stringify(value ?? null)
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) {
    throw new OncekeyError(
      'saga-result-invalid',
      `${what} is ${bytes} bytes as JSON, over maxResultBytes, ${maxBytes}. Return a reference to ` +
        'what you store elsewhere, or raise the limit.',
    )
  }
  return text
}

function firstProblem(value: unknown, path: string, around: Set<object>): string | undefined {
  if (value === null || value === undefined) return undefined
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : `${at(path)} is ${value}`
    case 'object':
      return problemOfObject(value, path, around)
    default:
      return `${at(path)} is a ${typeof value}`
  }
}

function problemOfObject(value: object, path: string, around: Set<object>): string | undefined {
  if (around.has(value)) return `${at(path)} holds itself`
  if (around.size >= MAX_DEPTH) return `${at(path)} is more than ${MAX_DEPTH} deep`
  if (!Array.isArray(value) && !isPlain(value)) {
    const name = value.constructor?.name ?? 'object of its own kind'
    const advice = value instanceof Date ? ' (write toISOString())' : ''
    return `${at(path)} is a ${name}, which would come back as something else${advice}`
  }
  around.add(value)
  for (const [key, child] of Object.entries(value)) {
    const problem = firstProblem(child, `${path}.${key}`, around)
    if (problem !== undefined) return problem
  }
  around.delete(value)
  return undefined
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const at = (path: string): string => (path === '' ? 'it' : path.slice(1))
const MAX_DEPTH = 100
