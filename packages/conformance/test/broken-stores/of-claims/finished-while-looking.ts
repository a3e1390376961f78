import { brokenStore } from '../broken-store.ts'
import { turn } from '../plain-store.ts'

/** laravel-idempotency: a request finished between another's look-up and its lock runs again. */
export const finishedWhileLooking = brokenStore({
  fault: 'does not look again once it has the lock',
  steps: (right) => ({
    look(id, table) {
      const row = right.look(id, table)
      return row && { ...row }
    },
    afterLook: (row) => (row?.state === 'running' ? turn() : undefined),
    hasLapsed(seen, table) {
      const row = [...table.rows.values()].find(({ token }) => token === seen.token)
      return row?.state === 'finished' || right.hasLapsed(seen, table)
    },
  }),
  caughtBy: [
    'the record decides first: a claim that races with the completion gets `in-progress` or `replay`, never `run`',
  ],
})
