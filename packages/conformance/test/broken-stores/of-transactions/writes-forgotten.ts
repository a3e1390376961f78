import { brokenStore } from '../broken-store.ts'

/** The response is stored in one transaction and the handler's is rolled back. */
export const writesForgotten = brokenStore({
  fault: 'stores the response without the writes',
  steps: (right) => ({
    commit: (parts) => right.commit({ ...parts, commitWrites: () => {} }),
  }),
  caughtBy: [
    'the transaction: commits its writes with the response',
    'an attempt without a key: commits its writes and events',
  ],
})
