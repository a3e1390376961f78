import { brokenStore } from '../broken-store.ts'

/** Two tables, one for each mode: during the deploy that changes it, every retry runs again. */
export const blindToTheOtherMode = brokenStore({
  fault: 'keeps the records of each mode apart',
  steps: (right) => ({ id: (claim) => `${right.leaseMs(1)} ${right.id(claim)}` }),
  caughtBy: [
    'beside a store of the other mode: replays what the other has finished, kept or refused',
    'beside a store of the other mode: is told that a key is in progress while the other runs it',
    'beside a store of the other mode: of claims in both modes that arrive together, at most one runs',
    'beside a store of the other mode: an attempt that the other gave back or forgot is run anew',
    'beside a store of the other mode: an unknown outcome is retaken, and what it comes to is final for both',
  ],
})
