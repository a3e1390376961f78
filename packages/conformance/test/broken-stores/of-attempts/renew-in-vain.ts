import { brokenStore } from '../broken-store.ts'

/** A renewal that reaches a cache and never the lease. */
export const renewInVain = brokenStore({
  fault: 'answers `held` and renews nothing',
  modes: ['lease'],
  steps: (right) => {
    const leases = new Set<number>()
    return {
      // A lease is counted from the claim, however often it is renewed.
      leaseMs: (leaseMs) => {
        leases.add(leaseMs)
        return right.leaseMs(Math.min(...leases))
      },
    }
  },
  caughtBy: ['leases: `renew` answers `held` and owns the key for as long again, counted from now'],
})
