import { brokenStore } from '../broken-store.ts'

/** powertools' Redis layer dropped the hash on completion; IdempotentAPI 2.0 hashed nothing. */
export const forgottenFingerprint = brokenStore({
  fault: 'forgets the fingerprint',
  steps: () => ({ matches: () => true }),
  caughtBy: [
    'mismatch: a finished key answers `mismatch` to another request',
    'the record decides first: a finished key answers `replay` and `mismatch` side by side',
    'a result that is gone: is `mismatch` for another request',
  ],
})
