import { brokenStore } from '../broken-store.ts'

/** A renewal that reaches a cache but not the lease. */
export const renewInVain = brokenStore({
  fault: 'answers `held` and renews nothing',
  modes: ['lease'],
  steps: (right) => {
    const leases = new Set<number>()
    return {
      // The lease counts from the claim, however often it is renewed.
      leaseMs: (leaseMs) => {
        leases.add(leaseMs)
        return right.leaseMs(Math.min(...leases))
      },
    }
  },
  caughtBy: ['leases: `renew` returns `held` and extends the lease, counted from now'],
})
