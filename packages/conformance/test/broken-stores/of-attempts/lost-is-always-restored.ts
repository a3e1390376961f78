import { brokenStore } from '../broken-store.ts'

/** Whoever completes last wins, and a released key comes back. */
export const lostIsAlwaysRestored = brokenStore({
  fault: 'takes every row that is not its own for one that was lost',
  modes: ['lease'],
  steps: () => ({
    owns: (row) => row?.state !== 'finished',
  }),
  caughtBy: [
    'an attempt that the store has lost: is free when it is released, and stays so',
    'an attempt that the store has lost: stores nothing if another attempt has the key by now',
    'an attempt that the store has lost: gets no transaction if another attempt has the key by now',
  ],
})
