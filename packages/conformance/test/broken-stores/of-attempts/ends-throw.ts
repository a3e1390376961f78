import { brokenStore } from '../broken-store.ts'

/** A clean-up that throws when it comes late, and ends the process. */
export const endsThrow = brokenStore({
  fault: 'throws when an attempt is ended again',
  steps: () => ({
    onEndedAgain() {
      throw new Error('No such attempt.')
    },
  }),
  caughtBy: ['an attempt: may be released and abandoned again and again'],
})
