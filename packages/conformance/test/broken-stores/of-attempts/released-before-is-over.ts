import { brokenStore } from '../broken-store.ts'

/**
 * By the trace that a release leaves, a late completion of the released attempt is recognised. The
 * completion of the next attempt, whose claim a failover has lost, is not one of that kind.
 */
export const releasedBeforeIsOver = brokenStore({
  fault: 'takes an attempt that it has lost for an earlier one that had released the key',
  modes: ['lease'],
  steps(right) {
    const released = new Set<string>()
    return {
      free(row, id, verb, table) {
        if (verb === 'release') released.add(id)
        right.free(row, id, verb, table)
      },
      restore: (id, claimed, table) =>
        released.has(id) ? undefined : right.restore(id, claimed, table),
    }
  },
  caughtBy: [
    'an attempt that the store has lost: keeps its key if an earlier attempt had released that',
  ],
})
