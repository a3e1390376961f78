import { brokenStore } from '../broken-store.ts'

/** Nothing more is done with a transaction in which a statement failed: it is not even undone. */
export const failedCannotEnd = brokenStore({
  fault: 'leaves a transaction open in which a statement failed',
  steps: (right) => ({
    onFailed: () => {},
    undo(transaction, table) {
      if (transaction.hasFailed) throw new Error('The transaction is aborted.')
      right.undo(transaction, table)
    },
  }),
  caughtBy: [
    'the transaction: in which a statement failed can be refused, and the refusal is replayed',
    'the transaction: in which a statement failed can be released, and a retry runs again',
  ],
})
