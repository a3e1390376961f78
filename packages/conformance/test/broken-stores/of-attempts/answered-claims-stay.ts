import { brokenStore } from '../broken-store.ts'

/** Once the second copy of a claim is answered, the first, still on its way, is forgotten. */
export const answeredClaimsStay = brokenStore({
  fault: 'leaves a key to a claim that was carried out after its second copy was answered',
  modes: ['lease'],
  steps: (right) => ({
    onUnheard: (attempt, told) =>
      told === 'an answer' ? undefined : right.onUnheard(attempt, told),
  }),
  caughtBy: [
    'a claim without an answer: whose second copy is answered leaves its key free, even if the first comes later',
  ],
})
