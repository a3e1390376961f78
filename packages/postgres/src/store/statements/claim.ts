import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import type { FoundJson } from './find-record.ts'
import type { StartedJson } from './start-attempt.ts'

/** Takes the key's lock, reads its record, and makes the transaction this attempt's. */
export function claimStatement(
  schema: string,
): (question: ClaimQuestion) => Statement<{ answer: string }> {
  const text = `select ${schema}.claim_2($1, $2, $3, $4, $5, $6, $7) as answer`

  return ({ claim, lock, backstopMs, readsRecord }) => ({
    name: 'claim',
    text,
    values: [
      lock,
      claim.namespace,
      claim.scope,
      claim.key,
      claim.token,
      backstopMs,
      String(readsRecord),
    ],
  })
}

export interface ClaimQuestion {
  readonly claim: Claim
  readonly lock: string
  /** After how long without a statement the server ends the transaction; 0 for never. */
  readonly backstopMs: number
  readonly readsRecord: boolean
}

/** What `answer` is, in JSON. */
export type ClaimJson = StartedJson | FoundJson | { readonly state: 'in-progress' }
