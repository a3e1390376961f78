import { brokenStore } from '../broken-store.ts'

/** gofiber: every duplicate waits for the mutex, however long that takes. */
export const alwaysWaits = brokenStore({
  fault: 'waits until the attempt has ended, asked to or not',
  steps: () => ({ whenStillBusy: () => 'ask again' }),
  caughtBy: [
    'waiting: does not happen with `waitMs: 0`: the decision comes while the attempt is running',
    'waiting: ends with `in-progress` when the time is up, and not before',
    'an aborted claim: stops waiting, with `in-progress`',
    'an aborted claim: that was aborted before it was made does not wait',
  ],
})
