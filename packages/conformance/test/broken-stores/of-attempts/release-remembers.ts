import { brokenStore } from '../broken-store.ts'

/**
 * A release that only ends the lease: the attempt still counts, and its request still binds the
 * key.
 */
export const releaseRemembers = brokenStore({
  fault: 'remembers a released claim',
  steps: () => ({
    free(row, _id, _verb, table) {
      row.leaseUntil = table.now
      row.token = ''
    },
  }),
  caughtBy: [
    'release: forgets the claim, so that a retry runs again as attempt number 1',
    'release: forgets the request: another one may take the key',
  ],
})
