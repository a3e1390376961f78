import { brokenStore } from '../broken-store.ts'

/** Reports an unknown outcome although everything was rolled back. */
export const holdsInTransactionMode = brokenStore({
  fault: 'makes an abandoned key unknown in transaction mode',
  modes: ['transaction'],
  steps: () => ({
    free(row, _id, _verb, table) {
      row.leaseUntil = table.now
      row.token = ''
    },
  }),
  caughtBy: [
    'abandon: in transaction mode frees the key at once: a retry runs as attempt number 1',
    'abandon: in transaction mode frees the key for a claim that would hold an unknown outcome',
    'waiting: in transaction mode one waiter takes over when the attempt is abandoned',
  ],
})
