import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Locks an attempt's row at the start of its transaction; raises where another attempt has the key. */
export function openAttemptStatement(
  schema: string,
): (claim: Claim, lock: string, backstopMs: number) => Statement<{ answer: string }> {
  const text = `
    select ${schema}.open_attempt($1, $2, $3, $4, $5,
      $6) as answer`

  return ({ namespace, scope, key, token }, lock, backstopMs) => ({
    name: 'open_attempt',
    text,
    values: [lock, namespace, scope, key, token, backstopMs],
  })
}
