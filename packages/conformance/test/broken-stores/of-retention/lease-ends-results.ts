import { brokenStore } from '../broken-store.ts'

/** A finished record keeps the expiry of its claim: PEXPIRE is set once and never removed. */
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
