import { brokenStore } from '../broken-store.ts'

/** Clients that obey it retry as fast as they can. */
export const retryAtOnce = brokenStore({
  fault: 'tells a client to come again after 0 ms',
  steps: () => ({ retryAfterMs: () => 0 }),
  caughtBy: ['claims: `in-progress` includes when to retry'],
})
