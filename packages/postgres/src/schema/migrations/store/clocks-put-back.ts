import { claimLeaseFunction5 } from '../../functions/lease/claim-lease-5.ts'
import { renewLeases4 } from '../../functions/lease/renew-leases-4.ts'

/** The length of a lease is on record, so that a clock that was put back does not stretch it. */
export function clocksPutBack(schema: string): string[] {
  return [
    // Null: by the release before, which did not say.
    `alter table ${schema}.attempts add column lease_ms bigint`,
    `alter table ${schema}.leases add column lease_ms bigint`,
    `comment on column ${schema}.attempts.lease_ms is
      'How long its first lease is. Milliseconds.'`,
    `comment on column ${schema}.leases.lease_ms is
      'How long the lease is that ends at until. Milliseconds.'`,
    claimLeaseFunction5(schema),
    renewLeases4(schema),
  ]
}
