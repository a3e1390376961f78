import { type Claim, OncekeyError } from '@oncekey/core'
import { lockNumber } from '../lock-number.ts'

/** A claim's key as this store looks it up. */
export interface ClaimKey {
  /** In this process's tables. */
  readonly id: string
  /** Its advisory lock in the database. */
  readonly lock: string
}

export function claimKey(schema: string, { namespace, scope, key }: Claim): ClaimKey {
  const parts = [schema, namespace, scope, key]
  for (const part of parts) if (!isText(part)) throw notText()
  return { id: JSON.stringify(parts), lock: lockNumber(parts) }
}

/** What a text column keeps byte by byte: any string but with NUL, or half of a surrogate pair. */
function isText(part: string): boolean {
  return part.isWellFormed() && !part.includes('\0')
}

function notText(): OncekeyError {
  return new OncekeyError(
    'scope-invalid',
    'A namespace, scope or key holds a NUL or half of a surrogate pair, which PostgreSQL cannot keep.',
  )
}
