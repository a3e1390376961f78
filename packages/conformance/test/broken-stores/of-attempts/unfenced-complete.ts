import { brokenStore } from '../broken-store.ts'

/** powertools, quarkus-http-idempotency, idempotency4j: the late writer wins. */
export const unfencedComplete = brokenStore({
  fault: 'completes without asking who owns the key',
  modes: ['lease'],
  steps: (right) => ({
    owns: (row, token, verb, table) =>
      verb === 'complete' ? row !== undefined : right.owns(row, token, verb, table),
  }),
  caughtBy: [
    'leases: a stale `complete` answers `superseded` and does not touch the new attempt',
    'leases: a stale `complete` does not replace the response of the attempt that took over',
    'leases: a stale `complete` commits no event',
    'leases: of an attempt with an open transaction and the one that comes after its lease one commits',
    'an unknown outcome: once retaken, can no longer be resolved by the abandoned attempt',
    'the model: explains every decision, for any concurrent history',
  ],
})
