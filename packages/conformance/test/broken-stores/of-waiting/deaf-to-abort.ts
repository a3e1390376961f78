import { brokenStore } from '../broken-store.ts'

/** A waiter whose caller is gone wins the key, and nobody ends its attempt. */
export const deafToAbort = brokenStore({
  fault: 'does not hear that the caller is gone',
  steps: () => ({
    whenStillBusy: (claim, waitedMs) => (waitedMs < claim.waitMs ? 'ask again' : 'in-progress'),
  }),
  caughtBy: [
    'an aborted claim: stops waiting, with `in-progress`',
    'an aborted claim: that was waiting does not win the key when it becomes free',
    'an aborted claim: that was aborted before it was made does not wait',
  ],
})
