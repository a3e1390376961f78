import { brokenStore } from '../broken-store.ts'

/** The attempt before that claim may have had effects. */
export const unheardClaimsFree = brokenStore({
  fault: 'frees the key of a claim that took over an unknown outcome and was not heard of',
  modes: ['lease'],
  steps: () => ({ onUnheard: (attempt) => attempt.release() }),
  caughtBy: [
    'a claim without an answer: leaves an outcome unknown that was, even if it is carried out later',
  ],
})
