import { brokenStore } from '../broken-store.ts'

/** Identifies the owner by its fingerprint, which every retry shares. */
export const claimGivenTwice = brokenStore({
  fault: 'takes every retry for the owner’s own',
  steps: (right) => ({ isOwnClaim: (row, claim) => right.matches(row, claim) }),
  caughtBy: [
    'claims: of 100 concurrent claims on one key one gets `run`, the others `in-progress`',
    'claims: at most one gets `run`, in every repetition of the race',
    'the model: explains every decision, for any concurrent history',
  ],
})
