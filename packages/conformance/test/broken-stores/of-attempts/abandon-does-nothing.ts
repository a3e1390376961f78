import { brokenStore } from '../broken-store.ts'

/**
 * express-idempotency and others: after a throw or a hang-up the key is blocked until it expires.
 */
export const abandonDoesNothing = brokenStore({
  fault: 'leaves an abandoned key in progress',
  steps: (right) => ({
    free(row, id, verb, table) {
      if (verb === 'release') right.free(row, id, verb, table)
    },
  }),
  caughtBy: [
    'an attempt: ends when it is abandoned: a completion after it stores nothing',
    'events: of an attempt that ended otherwise are never committed',
  ],
})
