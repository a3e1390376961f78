import { brokenStore } from '../broken-store.ts'

/** Releases a running key by its name, whoever owns it, which shows after a takeover. */
export const staleRelease = brokenStore({
  fault: 'ends a running attempt for whoever asks',
  modes: ['lease'],
  steps: (right) => ({
    owns: (row, token, verb, table) =>
      verb === 'release' || verb === 'abandon'
        ? row?.state === 'running'
        : right.owns(row, token, verb, table),
  }),
  caughtBy: [
    'leases: a stale `release` does not free the key',
    'leases: a stale `abandon` does not make the key unknown',
    'abandon: by an attempt that ended before does nothing to the one that has the key now',
  ],
})
