import { brokenStore } from '../broken-store.ts'

/** One table per mode: during the deploy that changes the mode, every retry runs again. */
export const blindToTheOtherMode = brokenStore({
  fault: 'keeps the records of each mode apart',
  steps: (right) => ({ id: (claim) => `${right.leaseMs(1)} ${right.id(claim)}` }),
  caughtBy: [
    'beside a store of the other mode: replays what the other has finished, committed or refused',
    'beside a store of the other mode: a key is in progress while the other runs it',
    'beside a store of the other mode: of claims in both modes that arrive together, at most one runs',
    'beside a store of the other mode: a key that the other released or abandoned runs anew',
    'beside a store of the other mode: an unknown outcome is retaken, and its result is final for both',
  ],
})
