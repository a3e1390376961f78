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
  const text = `
    select ${schema}.refuse($1::bigint, $2::text, $3::text, $4::text, $5::text, $6::integer,
      $7::text, $8::bytea, $9::text) as outcome`

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
