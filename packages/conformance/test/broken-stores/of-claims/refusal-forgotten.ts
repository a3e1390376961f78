import { brokenStore } from '../broken-store.ts'

/** ROLLBACK also discards the response, so every retry of a declined card is declined anew. */
export const refusalForgotten = brokenStore({
  fault: 'rolls the refusal back with its writes',
  steps: (right) => ({
    commit: (parts) =>
      right.commit(parts.completion.writes === 'undo' ? { ...parts, storeResponse() {} } : parts),
  }),
  caughtBy: [
    'the transaction: with `undo` leaves no write, and the refusal is replayed all the same',
    'events: are not committed with `undo`: only the response is stored',
  ],
})
