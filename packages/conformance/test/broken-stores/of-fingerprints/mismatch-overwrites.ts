import { brokenStore } from '../broken-store.ts'

/** @node-idempotency/fastify: the 422 replaced the stored success for good. */
export const mismatchOverwrites = brokenStore({
  fault: 'stores the mismatch in place of the response',
  steps: (right) => ({
    onMismatch(row, claim) {
      row.state = 'finished'
      row.fingerprint = claim.fingerprints[0]
      row.response = right.encode({ status: 422, headers: [], body: new Uint8Array(), seal: null })
    },
  }),
  caughtBy: [
    'mismatch: `mismatch` does not change the record',
    'mismatch: another request never runs beside a running attempt, and does not end it',
    'the record decides first: a finished key answers `replay` and `mismatch` side by side',
  ],
})
