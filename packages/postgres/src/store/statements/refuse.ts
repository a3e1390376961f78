import type { Claim, StoredResponse } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Writes the record of a refusal, unless another attempt has the key by now. */
export function refuseStatement(
  schema: string,
): (
  claim: Claim,
  lock: string,
  response: StoredResponse,
) => Statement<{ outcome: 'stored' | 'superseded' }> {
  const text = `select ${schema}.refuse($1, $2, $3, $4, $5, $6, $7, $8, $9) as outcome`

  return (claim, lock, response) => ({
    name: 'refuse',
    text,
    values: [
      lock,
      claim.namespace,
      claim.scope,
      claim.key,
      claim.fingerprints[0],
      response.status,
      response.body === null ? null : JSON.stringify(response.headers),
      response.body,
      response.seal,
    ],
  })
}
