import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Leaves an attempt's outcome unknown, if it still has its key; and says what is true of it then. */
export function abandonAttemptStatement(
  schema: string,
): (claim: Claim) => Statement<{ outcome: 'abandoned' | 'stored' | 'superseded' }> {
  const text = `select ${schema}.abandon_attempt($1, $2, $3, $4) as outcome`

  return ({ namespace, scope, key, token }) => ({
    name: 'abandon_attempt',
    text,
    values: [token, namespace, scope, key],
  })
}
