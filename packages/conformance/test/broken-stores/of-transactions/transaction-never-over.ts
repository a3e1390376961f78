import { brokenStore } from '../broken-store.ts'

/**
 * A client that is used after the response, when it is back in the pool, writes into another
 * request's transaction.
 */
export const transactionNeverOver = brokenStore({
  fault: 'lets the transaction be used after its end',
  steps: () => ({ revoke: () => {} }),
  caughtBy: [
    'the transaction: used after it was completed throws `transaction-over` and writes nothing',
    'the transaction: used after it was refused throws `transaction-over` and writes nothing',
    'the transaction: used after it was released throws `transaction-over` and writes nothing',
    'the transaction: used after it was abandoned throws `transaction-over` and writes nothing',
  ],
})
