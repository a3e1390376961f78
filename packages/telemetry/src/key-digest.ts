import { hash } from 'node:crypto'

/**
 * A digest that stands for a key which must not be readable: 16 hex digits, the same for the same
 * scope and key.
 */
export function keyDigest(scope: string | undefined, key: string | undefined): string | undefined {
  if (key === undefined) return undefined
  return hash('sha256', JSON.stringify([scope, key]), 'hex').slice(0, 16)
}
