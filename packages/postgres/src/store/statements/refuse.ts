import type { Claim, StoredResponse } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/**
 * Writes the record of a refusal, unless another attempt has the key by now. `replaced` is the number of
 * the attempt of lease mode that this one had taken over, or 0.
 */
export function refuseStatement(
  schema: string,
): (
  claim: Claim,
  lock: string,
  response: StoredResponse,
  replaced: number,
) => Statement<{ outcome: 'stored' | 'superseded' }> {
  const text = `select ${schema}.refuse_2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as outcome`

  return (claim, lock, response, replaced) => ({
    name: 'refuse_2',
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
      replaced,
    ],
  })
}
