import { brokenStore } from '../broken-store.ts'

/** A record with the expiry of its claim left on it: PEXPIRE set once, and never taken off. */
export const leaseEndsResults = brokenStore({
  fault: 'forgets a result when the lease would have run out',
  modes: ['lease'],
  steps: (right) => ({
    look(id, table) {
      const row = right.look(id, table)
      if (row?.state === 'finished' && right.hasLapsed(row, table)) return undefined
      return row
    },
  }),
  caughtBy: ['leases: a finished key outlives the lease it was finished under'],
})
