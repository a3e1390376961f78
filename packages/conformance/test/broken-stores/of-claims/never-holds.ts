import { brokenStore } from '../broken-store.ts'

/** powertools#8049: a withdrawal that must not be made twice, and a library that runs it again. */
export const neverHolds = brokenStore({
  fault: 'retakes what should be held',
  modes: ['lease'],
  steps: () => ({ holds: () => false }),
  caughtBy: [
    'an unknown outcome: is what a lease that ran out comes to, with the time since when',
    'an unknown outcome: is held for every claim that holds, however many come',
    'abandon: in lease mode makes the key `unknown` at once, however long its lease',
  ],
})
