import { brokenStore } from '../broken-store.ts'

/** A client gets 503, or another's response, for what it did itself. */
export const forgetsWhoCompleted = brokenStore({
  fault: 'takes a completion that is sent again for another attempt’s',
  modes: ['lease'],
  steps: () => ({ wasCompletedBy: () => false }),
  caughtBy: [
    'a claim sent again with its own token: in lease mode is told `stored` when its completion is sent again, and changes nothing',
  ],
})
