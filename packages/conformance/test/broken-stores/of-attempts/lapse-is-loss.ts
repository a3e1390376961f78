import { brokenStore } from '../broken-store.ts'

/** Discards a result although no other attempt exists. */
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
    'an unknown outcome: that was only reported can still be resolved by its attempt',
  ],
})
