import { brokenStore } from '../broken-store.ts'

/** An attempt number that ignores earlier attempts. */
export const alwaysAttemptOne = brokenStore({
  fault: 'calls every attempt the first',
  modes: ['lease'],
  steps: (right) => ({ newRow: (claim) => right.newRow(claim, undefined) }),
  caughtBy: [
    'leases: each takeover counts one more attempt',
    'abandon: in lease mode lets a claim that retakes run at once, as attempt number 2',
  ],
})
