import { brokenStore } from '../broken-store.ts'

/** gofiber: every duplicate waits for the mutex, for as long as that takes. */
export const alwaysWaits = brokenStore({
  fault: 'waits until the attempt has ended, asked to or not',
  steps: () => ({ whenStillBusy: () => 'ask again' }),
  caughtBy: [
    'waiting: is not done with `waitMs: 0`: the answer comes while the attempt is running',
    'waiting: ends with `in-progress` when the time is up, and not before',
    'an aborted claim: stops waiting, with `in-progress`',
    'an aborted claim: that was aborted before it was made does not wait',
  ],
})
