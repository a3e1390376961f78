import { brokenStore } from '../broken-store.ts'

/** A `transaction()` that hands out the pool. */
export const writesAtOnce = brokenStore({
  fault: 'commits each write at once',
  steps: (right) => ({
    write(transaction, id, table) {
      right.write(transaction, id, table)
      table.written.add(id)
    },
  }),
  caughtBy: [
    'the transaction: with `undo` leaves no write, and the refusal is replayed all the same',
    'the transaction: is undone by `release`',
    'the transaction: is undone by `abandon`',
    'the transaction: is seen by nobody else before the response is stored',
    'the transaction: of fifty clients that retry until they succeed leaves one write',
    'an attempt without a key: leaves no write when it is refused, released or abandoned',
  ],
})
