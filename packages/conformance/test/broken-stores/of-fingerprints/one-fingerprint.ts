import { brokenStore } from '../broken-store.ts'

/** A deploy with a new algorithm turns every retry into a 422. */
export const oneFingerprint = brokenStore({
  fault: 'compares with the current algorithm only',
  steps: () => ({ matches: (row, claim) => row.fingerprint === claim.fingerprints[0] }),
  caughtBy: ['mismatch: a record made under an older algorithm matches by its own fingerprint'],
})
