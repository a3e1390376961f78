import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Undoes a claim whose handler never ran. */
export function giveBackAttemptStatement(schema: string): (claim: Claim) => Statement {
  const text = `select ${schema}.give_back_attempt($1, $2, $3, $4)::text`

  return ({ namespace, scope, key, token }) => ({
    name: 'give_back_attempt',
    text,
    values: [token, namespace, scope, key],
  })
}
