import { brokenStore } from '../broken-store.ts'

/** idempotency4j: the old owner's heartbeat extends the new owner's lease. */
export const renewWithoutOwner = brokenStore({
  fault: 'renews without asking who owns the key',
  modes: ['lease'],
  steps: (right) => ({
    owns: (row, token, verb, table) =>
      verb === 'renew' ? row !== undefined : right.owns(row, token, verb, table),
  }),
  caughtBy: [
    'leases: a stale `renew` answers `stale`',
    'leases: a stale `renew` does not prolong the lease of the attempt that took over',
    'leases: ends with the attempt: `renew` after the end is `stale`',
  ],
})
