import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Forgets an attempt, if it still has its key. */
export function releaseAttemptStatement(schema: string): (claim: Claim) => Statement {
  const text = `select ${schema}.release_attempt($1, $2, $3, $4)::text`

  return ({ namespace, scope, key, token }) => ({
    name: 'release_attempt',
    text,
    values: [token, namespace, scope, key],
  })
}
