import { brokenStore } from '../broken-store.ts'

/** Accepts `waitMs` and ignores it. */
export const neverWaits = brokenStore({
  fault: 'answers `in-progress` without waiting',
  steps: () => ({ whenStillBusy: () => 'in-progress' }),
  caughtBy: [
    'waiting: ends with a replay when the attempt completes',
    'waiting: ends with `in-progress` when the time is up, and not before',
  ],
})
