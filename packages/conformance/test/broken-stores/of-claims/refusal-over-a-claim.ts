import { brokenStore } from '../broken-store.ts'
import { turn } from '../plain-store.ts'

/** ROLLBACK releases the key, and the refusal is inserted whoever owns it by then. */
export const refusalOverAClaim = brokenStore({
  fault: 'keeps a refusal over the head of who has claimed the key since',
  steps: (right) => ({
    async commit(parts) {
      if (parts.completion.writes !== 'undo' || !parts.owns()) return right.commit(parts)
      parts.free()
      await turn()
      await turn()
      parts.storeResponse()
      return 'stored'
    },
  }),
  caughtBy: [
    'beside a store of the other mode: a refusal does not overwrite a claim that the other made meanwhile',
  ],
})
