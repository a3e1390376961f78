import { brokenStore } from '../broken-store.ts'

/** powertools#8049: a withdrawal that must not repeat, and a library that runs it again. */
export const neverHolds = brokenStore({
  fault: 'retakes what should be held',
  modes: ['lease'],
  steps: () => ({ holds: () => false }),
  caughtBy: [
    'an unknown outcome: results from a lease that ran out, with the time',
    'an unknown outcome: is held for every claim with `hold`',
    'abandon: in lease mode makes the key `unknown` at once, however long its lease',
  ],
})
