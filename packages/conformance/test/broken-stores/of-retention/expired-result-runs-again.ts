import { brokenStore } from '../broken-store.ts'
import { DAY_MS } from '../plain-store.ts'

/** Every peer but one: when the response is gone, so is the memory that it was ever done. */
export const expiredResultRunsAgain = brokenStore({
  fault: 'forgets the key with the result',
  steps: (right) => ({
    look(id, table) {
      const row = right.look(id, table)
      return row?.state === 'finished' && row.finishedAt + DAY_MS <= table.now ? undefined : row
    },
  }),
  caughtBy: [
    'a result that is gone: is what becomes of a response past its retention: its key is remembered',
  ],
})
