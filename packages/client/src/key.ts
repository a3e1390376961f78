import { OptionsError } from './errors.ts'

/** The form of a key in its header: `abc`, or `"abc"` as in draft-07 section 2.1. */
export type KeyFormat = 'bare' | 'quoted'

const MAX_LENGTH = 255

/** A random UUID. */
export function randomKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  // A page loaded over plain HTTP has no randomUUID, but has getRandomValues.
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) % 16) | 0x40
  bytes[8] = ((bytes[8] ?? 0) % 64) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/**
 * The header line for a key. Throws `OptionsError` for a key that servers would refuse or read
 * differently.
 */
export function keyLine(key: string, format: KeyFormat): string {
  if (typeof key !== 'string' || key === '' || key.length > MAX_LENGTH) {
    throw new OptionsError(
      `A key must be a string of 1 to ${MAX_LENGTH} characters, not ${describe(key)}.`,
    )
  }
  if (!/^[\x20-\x7e]+$/.test(key)) {
    throw new OptionsError(`A key must be printable ASCII; ${describe(key)} is not.`)
  }
  if (format === 'quoted') return `"${key.replace(/["\\]/g, '\\$&')}"`
  if (key !== key.trim() || key.startsWith('"') || key.includes(',')) {
    throw new OptionsError(
      `The key ${describe(key)} would be read differently by servers (spaces around it, a comma or a leading quote): choose another, or write \`keyFormat: 'quoted'\`.`,
    )
  }
  return key
}

/** The key in a header line that the caller wrote. */
export function keyOfLine(line: string): string {
  return /^"(?:[^"\\]|\\["\\])*"$/.test(line) ? line.slice(1, -1).replace(/\\(.)/g, '$1') : line
}

function describe(key: unknown): string {
  return typeof key === 'string' && key.length > MAX_LENGTH
    ? `one of ${key.length}`
    : JSON.stringify(key)
}
