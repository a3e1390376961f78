import { brokenStore } from '../broken-store.ts'

/** Clients that obey it poll as fast as they can. */
export const retryAtOnce = brokenStore({
  fault: 'tells a client to come again after 0 ms',
  steps: () => ({ retryAfterMs: () => 0 }),
  caughtBy: ['claims: `in-progress` says when to come again'],
})
