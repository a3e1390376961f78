import type { Claim, Completion } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { eventsJson } from './append-events.ts'

/** Writes the record and its events; raises where the attempt does not own the key any more. */
export function completeStatement(
  schema: string,
): (claim: Claim, completion: Completion) => Statement {
  const text = `select ${schema}.complete_2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as outcome`

  return (claim, { response, events }) => ({
    name: 'complete_2',
    text,
    values: [
      claim.token,
      claim.namespace,
      claim.scope,
      claim.key,
      claim.fingerprints[0],
      response.status,
      response.body === null ? null : JSON.stringify(response.headers),
      response.body,
      response.seal,
      events.length === 0 ? null : eventsJson(events),
    ],
  })
}
