import { brokenStore } from '../broken-store.ts'

/** A claim that stays until it expires, whatever becomes of its attempt. */
export const releaseDoesNothing = brokenStore({
  fault: 'leaves a released key in progress',
  steps: (right) => ({
    free(row, id, verb, table) {
      if (verb === 'abandon') right.free(row, id, verb, table)
    },
  }),
  caughtBy: [
    'an attempt: ends with its release: a completion after it stores nothing',
    'release: forgets the claim, so that a retry runs again as attempt number 1',
    'waiting: one waiter takes over when the attempt is released, the others wait on',
  ],
})
