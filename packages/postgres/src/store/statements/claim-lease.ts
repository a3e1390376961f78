import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import type { FinishedJson } from './find-record.ts'

/** Claims a key for a time, and commits that; or says why not. */
export function claimLeaseStatement(
  schema: string,
): (claim: Claim, lock: string) => Statement<{ answer: string }> {
  const text = `
    select ${schema}.claim_lease_2($1, $2, $3, $4, $5, $6,
      $7, $8) as answer
      where ${schema}.takes_writes()`

  return (claim, lock) => ({
    name: 'claim_lease_2',
    text,
    values: [
      lock,
      claim.namespace,
      claim.scope,
      claim.key,
      JSON.stringify(claim.fingerprints),
      claim.token,
      Math.ceil(claim.leaseMs),
      String(claim.whenUnknown === 'hold'),
    ],
  })
}

/** What `answer` is, in JSON. */
export type ClaimLeaseJson =
  | { readonly state: 'run'; readonly number: number }
  | FinishedJson
  | { readonly state: 'mismatch' }
  | {
      readonly state: 'in-progress'
      /** Of the attempt; 0 where another transaction has the key. */
      readonly number: number
      /** Of its lease: milliseconds. */
      readonly left: number
    }
  /** `since`: milliseconds since 1970. */
  | { readonly state: 'unknown'; readonly since: number }
