import { brokenStore } from '../broken-store.ts'

/** An owner known by its fingerprint: but every retry has the same. */
export const claimGivenTwice = brokenStore({
  fault: 'takes every retry for the owner’s own',
  steps: (right) => ({ isOwnClaim: (row, claim) => right.matches(row, claim) }),
  caughtBy: [
    'claims: of 100 concurrent claims on one key one gets `run`, the others `in-progress`',
    'claims: at most one gets `run`, however often the race is run',
    'the model: explains every answer, whatever is asked in whatever order, also at once',
  ],
})
