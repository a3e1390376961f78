import { brokenStore } from '../broken-store.ts'

/** A result thrown away that nobody else could have made. */
export const lapseIsLoss = brokenStore({
  fault: 'refuses an attempt whose lease ran out, though nobody took over',
  modes: ['lease'],
  steps: (right) => ({
    owns: (row, token, verb, table) =>
      right.owns(row, token, verb, table) && row !== undefined && !right.hasLapsed(row, table),
  }),
  caughtBy: [
    'leases: a lease that ran out is not lost before another attempt took over: `complete` stores',
    'leases: a lease that ran out is not lost before another attempt took over: `renew` is `held`',
    'an unknown outcome: that was only reported may still be known: the attempt completes after all',
  ],
})
