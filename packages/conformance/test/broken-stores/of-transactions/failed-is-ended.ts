import { brokenStore } from '../broken-store.ts'

/**
 * A failed statement is taken for a COMMIT of the handler, so its key is spent and no retry runs.
 */
export const failedIsEnded = brokenStore({
  fault: 'spends the key of a transaction in which a statement failed',
  steps: () => ({
    onFailed({ completion, storeResponse }) {
      Object.assign(completion.response, { body: null })
      storeResponse()
    },
  }),
  caughtBy: [
    'the transaction: in which a statement failed is not committed, and a retry runs again',
  ],
})
