import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Makes a record without a response: the request is not carried out again, and has nothing to replay. */
export function spendKeyStatement(schema: string): (claim: Claim) => Statement {
  const text = `
    insert into ${schema}.records (namespace, scope, key, fingerprint, status)
      values ($1, $2, $3, $4, 500)
      on conflict on constraint records_pkey do nothing`

  return ({ namespace, scope, key, fingerprints }) => ({
    name: 'spend_key',
    text,
    values: [namespace, scope, key, fingerprints[0]],
  })
}
