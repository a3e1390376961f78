import { brokenStore } from '../broken-store.ts'

/** A reply that comes too late is dropped, although the server has carried out the claim. */
export const unheardClaimsStay = brokenStore({
  fault: 'leaves a key to a claim that was carried out after its caller was told otherwise',
  modes: ['lease'],
  steps: () => ({ onUnheard: async () => {} }),
  caughtBy: [
    'a claim without an answer: leaves its key free, even if it is carried out later',
    'a claim without an answer: leaves an outcome unknown that was, even if it is carried out later',
  ],
})
