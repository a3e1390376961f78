import { randomUUID } from 'node:crypto'
import { saga } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { AT_ONCE, database, effectsOf, note, runnerOf } from './failing-steps.ts'

// A bug: nobody ended the transaction of the step. It kept its locks, and the pool never got the
// connection back.
test('a step that emits more than one text can hold is undone', { timeout: 120_000 }, async () => {
  const pool = database.pool({ max: 4 })
  const data = 'x'.repeat(2 * 1024 * 1024 - 2)
  const flow = saga<null, PoolClient>('emits-too-much', { version: 1 }).step('import', {
    retry: { maxAttempts: 1, backoff: AT_ONCE },
    timeoutMs: 100_000,
    async run({ runId, transaction, emit }) {
      await note(await transaction(), runId, 'import')
      for (let event = 0; event < 260; event++) emit({ type: 'order.imported', data })
    },
  })
  const { sagas } = runnerOf([flow], { client: pool, leaseMs: 60_000 })
  const id = randomUUID()
  await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
    code: 'saga-compensated',
    cause: { code: 'transaction-aborted' },
  })
  expect(await effectsOf(id)).toEqual([])
  await sagas.stop()
  expect(pool.idleCount).toBe(pool.totalCount)
})
