import { claimWithinBytes } from '../superseded/claim-webhooks-3.ts'

/** A claim is bounded in bytes, not only in deliveries, and says whose it is. */
export function claimsWithinBytes(schema: string): string[] {
  return [
    `alter table ${schema}.webhook_deliveries add column claimed_by text`,
    claimWithinBytes(schema),
    `comment on column ${schema}.webhook_deliveries.claimed_by is
      'Which worker claimed it, and the epoch of that claim.'`,
  ]
}
