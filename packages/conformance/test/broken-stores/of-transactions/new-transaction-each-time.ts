import { brokenStore } from '../broken-store.ts'

/** Writes made through the first one are not seen through the second, and may not be committed. */
export const newTransactionEachTime = brokenStore({
  fault: 'opens another transaction each time it is asked for',
  steps: () => ({ handOut: () => ({ staged: new Set(), isOver: false, hasFailed: false }) }),
  caughtBy: [
    'the transaction: is the same one on every call',
    'the transaction: sees its own writes',
    'the transaction: commits its writes with the response',
  ],
})
