import type { Claim, Completion } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { eventsJson } from './append-events.ts'

/** Writes the record and its events; raises where the attempt does not own the key any more. */
export function completeStatement(
  schema: string,
): (claim: Claim, completion: Completion) => Statement {
  const text = `
    select ${schema}.complete($1::text, $2::text, $3::text, $4::text, $5::text, $6::integer,
      $7::text, $8::bytea, $9::text, $10::json)`

  return (claim, { response, events }) => ({
    name: 'complete',
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
