import type { Claim, Completion } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { eventsJson } from './append-events.ts'

/**
 * Makes a record of an attempt and writes its events; raises where another attempt has the key. In
 * autocommit it may be sent again.
 */
export function completeAttemptStatement(
  schema: string,
): (
  claim: Claim,
  completion: Completion,
  options: { readonly inTransaction: boolean },
) => Statement<{ outcome: 'stored' }> {
  const text = `
    select ${schema}.complete_attempt_2($1, $2, $3, $4, $5,
      $6, $7, $8, $9, $10) as outcome`

  return (claim, { response, events }, { inTransaction }) => ({
    name: 'complete_attempt_2',
    text,
    values: [
      claim.token,
      claim.namespace,
      claim.scope,
      claim.key,
      response.status,
      response.body === null ? null : JSON.stringify(response.headers),
      response.body,
      response.seal,
      events.length === 0 ? null : eventsJson(events),
      String(inTransaction),
    ],
  })
}
