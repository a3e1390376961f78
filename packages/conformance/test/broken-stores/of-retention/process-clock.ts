import { brokenStore } from '../broken-store.ts'

/**
 * Compares leases with the clock of the asking process, so a skewed one takes over a live attempt.
 */
export const processClock = brokenStore({
  fault: 'goes by the clock of the process',
  modes: ['lease'],
  steps: () => ({
    hasLapsed(row, table) {
      const skewMs = Date.now() - (performance.timeOrigin + performance.now())
      return row.leaseUntil <= table.now + (Math.abs(skewMs) > 60_000 ? skewMs : 0)
    },
  }),
  caughtBy: ['leases: the clock is the store’s own: another process’s may be five minutes off'],
})
