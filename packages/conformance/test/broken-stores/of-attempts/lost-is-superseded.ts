import { brokenStore } from '../broken-store.ts'

/** A missing row is taken for the row of another attempt, so the handler runs again. */
export const lostIsSuperseded = brokenStore({
  fault: 'refuses an attempt whose claim the store has lost',
  modes: ['lease'],
  steps: (right) => ({
    owns: (row, token, verb, table) => row !== undefined && right.owns(row, token, verb, table),
  }),
  caughtBy: [
    'an attempt that the store has lost: is stored when it completes',
    'an attempt that the store has lost: has its key again from the next renewal on',
    'an attempt that the store has lost: gets its transaction',
    'an attempt that the store has lost: is unknown when it is abandoned',
  ],
})
