import { brokenStore } from '../broken-store.ts'

/** A crash blocks its key until an operator acts, although the policy was to retake. */
export const alwaysHolds = brokenStore({
  fault: 'holds what should be retaken',
  modes: ['lease'],
  steps: () => ({ holds: () => true }),
  caughtBy: [
    'an unknown outcome: is retaken by one of the claims that retake, with the next attempt number',
    'an unknown outcome: is forgotten when the attempt that retook it is released',
    'leases: of 100 concurrent claims on a lease that ran out one takes over',
    'leases: a lease can be renewed to end sooner',
  ],
})
