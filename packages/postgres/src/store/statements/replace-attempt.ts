import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Takes an attempt of lease mode away, whose outcome is unknown, and makes the transaction this attempt's. */
export function replaceAttemptStatement(
  schema: string,
): (
  claim: Claim,
  lock: string,
  number: number,
  backstopMs: number,
) => Statement<{ answer: string }> {
  const text = `
    select ${schema}.replace_attempt($1, $2, $3, $4, $5,
      $6, $7) as answer`

  return ({ namespace, scope, key, token }, lock, number, backstopMs) => ({
    name: 'replace_attempt',
    text,
    values: [lock, namespace, scope, key, number, token, backstopMs],
  })
}
