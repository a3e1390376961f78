import { renewLeases4 } from '../../functions/lease/renew-leases-4.ts'
import { claimLeaseFunction5 } from '../../superseded/lease/claim-lease-5.ts'

/** Stores the length of a lease, so that a clock that is put back does not prolong the lease. */
export function clocksPutBack(schema: string): string[] {
  return [
    // Null if the release that claimed does not report the length.
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
