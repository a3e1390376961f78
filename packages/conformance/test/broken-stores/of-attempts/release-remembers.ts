import { brokenStore } from '../broken-store.ts'

/** A release that only ends the lease: the attempt is counted, and what was asked binds the key. */
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
    'release: forgets what was asked: another request may take the key',
  ],
})
