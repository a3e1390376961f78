import { brokenStore } from '../broken-store.ts'

/** Treats a missing key as the empty key, so all requests without one are the same request. */
export const keylessRecord = brokenStore({
  fault: 'looks for the record of an attempt without a key',
  steps: () => ({ keylessId: () => '' }),
  caughtBy: [
    'an attempt without a key: is number 1 and completes',
    'an attempt without a key: commits its writes and events',
    'an attempt without a key: blocks nobody',
  ],
})
