import { type KeyName, OncekeyError } from '@oncekey/core'
import { lockNumber } from './lock-number.ts'

/** A key, with the two names by which a store looks it up. */
export interface ClaimKey {
  /** The key's name in this process: schema, namespace, scope and key, joined unambiguously. */
  readonly id: string
  /** The number of its advisory lock in the database. */
  readonly lock: string
}

export function claimKey(schema: string, { namespace, scope, key }: KeyName): ClaimKey {
  const parts = [schema, namespace, scope, key]
  checkText(parts)
  return { id: JSON.stringify(parts), lock: lockNumber(parts) }
}

/** Throws `scope-invalid` if a text column can neither hold nor find one of these strings. */
export function checkText(parts: readonly string[]): void {
  for (const part of parts) if (!isText(part)) throw notText()
}

/** A text column keeps every string except those with a NUL or half of a surrogate pair. */
function isText(part: string): boolean {
  return part.isWellFormed() && !part.includes('\0')
}

function notText(): OncekeyError {
  return new OncekeyError(
    'scope-invalid',
    'A namespace, scope or key holds a NUL or half of a surrogate pair, which PostgreSQL cannot keep.',
  )
}
