import { brokenStore } from '../broken-store.ts'
import { turn } from '../plain-store.ts'

/**
 * A database library in which each statement waits for the one before it, but ROLLBACK waits for
 * none.
 */
export const sendsAfterTheUndo = brokenStore({
  fault: 'sends what it held back after the transaction was undone',
  steps: (right) => ({
    write(transaction, id, table): Promise<void> | void {
      if (transaction.isOver) return right.write(transaction, id, table)
      return turn().then(() => {
        if (transaction.isOver) table.written.add(id)
        else right.write(transaction, id, table)
      })
    },
  }),
  caughtBy: [
    'the transaction: that is refused leaves nothing of writes that were not awaited',
    'the transaction: that is released leaves nothing of writes that were not awaited',
    'the transaction: that is abandoned leaves nothing of writes that were not awaited',
  ],
})
