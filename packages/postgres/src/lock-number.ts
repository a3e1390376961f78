import { hash } from 'node:crypto'

/**
 * A 64-bit number for an advisory lock, as PostgreSQL's bigint. Of SHA-256 over length-prefixed
 * parts, so that no choice of a scope and a key makes them meet another's. It has to come out the
 * same in every release: processes of two of them run side by side.
 */
export function lockNumber(parts: readonly string[]): string {
  const text = parts.map((part) => `${part.length}:${part}`).join('')
  return hash('sha256', text, 'buffer').readBigInt64BE(0).toString()
}
