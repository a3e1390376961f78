import { brokenStore } from '../broken-store.ts'

/**
 * After a lost reply a client gets 503, or another attempt's response, for a request that its own
 * attempt completed.
 */
export const forgetsWhoCompleted = brokenStore({
  fault: 'takes a completion that is sent again for another attempt’s',
  modes: ['lease'],
  steps: () => ({ wasCompletedBy: () => false }),
  caughtBy: [
    'a claim sent again with its own token: in lease mode is told `stored` when its completion is sent again, and changes nothing',
  ],
})
