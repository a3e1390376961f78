import { brokenStore } from '../broken-store.ts'

/** An empty key is a key: all requests without one are the same request. */
export const keylessRecord = brokenStore({
  fault: 'looks for the record of an attempt without a key',
  steps: () => ({ keylessId: () => '' }),
  caughtBy: [
    'an attempt without a key: is number 1 and completes',
    'an attempt without a key: commits its writes and events',
    'an attempt without a key: stands in nobody’s way',
  ],
})
