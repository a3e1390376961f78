import { brokenStore } from '../broken-store.ts'
import { DAY_MS } from '../plain-store.ts'

/** All libraries but one: when the response expires, the fact that it was done is forgotten too. */
export const expiredResultRunsAgain = brokenStore({
  fault: 'forgets the key with the result',
  steps: (right) => ({
    look(id, table) {
      const row = right.look(id, table)
      return row?.state === 'finished' && row.finishedAt + DAY_MS <= table.now ? undefined : row
    },
  }),
  caughtBy: [
    'a result that is gone: results when a response is past its retention: its key is remembered',
  ],
})
