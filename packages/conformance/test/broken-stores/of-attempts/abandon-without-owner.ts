import { brokenStore } from '../broken-store.ts'

/** A late failure handler that treats a finished key as its own. */
export const abandonWithoutOwner = brokenStore({
  fault: 'abandons without asking who owns the key',
  steps: (right) => ({
    owns: (row, token, verb, table) =>
      verb === 'abandon' ? row !== undefined : right.owns(row, token, verb, table),
    free(row, id, verb, table) {
      row.state = 'running'
      right.free(row, id, verb, table)
    },
  }),
  caughtBy: [
    'abandon: of a completed attempt does nothing',
    'abandon: by an attempt that ended before does nothing to the one that has the key now',
  ],
})
