import { hash } from 'node:crypto'

/**
 * The 64-bit number of an advisory lock, as a PostgreSQL bigint. It is a SHA-256 over
 * length-prefixed parts, so nobody can choose a scope and a key that share a lock with somebody
 * else's. Every release must compute the same number, because processes of two releases run side by
 * side.
 */
export function lockNumber(parts: readonly string[]): string {
  const text = parts.map((part) => `${part.length}:${part}`).join('')
  return hash('sha256', text, 'buffer').readBigInt64BE(0).toString()
}
