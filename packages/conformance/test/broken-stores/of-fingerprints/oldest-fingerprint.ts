import { brokenStore } from '../broken-store.ts'

/** New records use an algorithm that the next deploy no longer accepts. */
export const oldestFingerprint = brokenStore({
  fault: 'records the last fingerprint of the list',
  steps: (right) => ({
    newRow: (claim, before) => ({
      ...right.newRow(claim, before),
      fingerprint: claim.fingerprints.at(-1) ?? '',
    }),
  }),
  caughtBy: ['mismatch: a record is made under the current algorithm'],
})
