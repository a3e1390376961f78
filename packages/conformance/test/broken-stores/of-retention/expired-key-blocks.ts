import { brokenStore } from '../broken-store.ts'
import { DAY_MS } from '../plain-store.ts'
import type { Table } from '../plain-table.ts'

/**
 * hono-idempotency on D1: the record was expired for reads but present for inserts, so the key was
 * blocked for good.
 */
export const expiredKeyBlocks = brokenStore({
  fault: 'blocks a key past its retention until it is purged',
  steps: (right) => ({
    isLocked: (id, _claim, table) => isExpired(id, table),
    look: (id, table) => (isExpired(id, table) ? undefined : right.look(id, table)),
  }),
  caughtBy: [
    'a result that is gone: a key past its retention runs again as attempt number 1, purged or not',
  ],
})

function isExpired(id: string, { rows, now }: Table): boolean {
  const row = rows.get(id)
  return row?.state === 'finished' && row.finishedAt + 7 * DAY_MS <= now
}
