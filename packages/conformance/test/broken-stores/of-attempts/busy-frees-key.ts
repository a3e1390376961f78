import { brokenStore } from '../broken-store.ts'

/**
 * idempo's memory lock: an `ensure` block that also runs for a rejected duplicate removes the
 * winner's mark.
 */
export const busyFreesKey = brokenStore({
  fault: 'frees the key when it turns a claim away',
  steps: () => ({
    onBusy(id, table) {
      table.over.add(table.rows.get(id)?.token ?? '')
      table.rows.delete(id)
    },
  }),
  caughtBy: [
    'claims: a claim that was turned away leaves the running attempt its key',
    'mismatch: `in-progress` does not change the record either',
  ],
})
