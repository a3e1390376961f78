import { brokenStore } from '../broken-store.ts'

/** idempot-js: the repeated insert found its own row, and the key was blocked for a day. */
export const ownClaimUnknown = brokenStore({
  fault: 'does not know its own claim again',
  modes: ['lease'],
  steps: () => ({ isOwnClaim: () => false }),
  caughtBy: [
    'a claim sent again with its own token: in lease mode gets `run` again, with the same attempt number',
    'a claim sent again with its own token: in lease mode gets `run` again from another instance',
  ],
})
