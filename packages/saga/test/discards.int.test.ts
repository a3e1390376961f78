import { saga } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { database, runnerOf } from './failing-steps.ts'

const by = { actor: 'maria@shop.example', note: 'by hand' }

// A bug: the third failed, and with it the answer for the first two was lost.
test('runs that were settled before the database failed are told', async () => {
  const flow = saga<null, PoolClient>('discarded', { version: 1 }).step('pay', {
    kind: 'pivot',
    retry: { maxAttempts: 1 },
    run: () => Promise.reject(new Error('no answer')),
  })
  const { sagas } = runnerOf([flow])
  const ids = ['order-1', 'order-2', 'order-3', 'order-4']
  for (const id of ids) await sagas.execute(flow, { id, input: null }).catch(() => {})
  await database.query(
    "alter table oncekey.saga_runs add constraint third check (id <> 'order-3' or state <> 'settled')",
  )
  const failed = { outcome: 'failed', message: expect.stringContaining('third') }
  expect(await sagas.deadLetters.discard(ids, 'by hand', by)).toEqual([
    { id: 'order-1', outcome: 'discarded' },
    { id: 'order-2', outcome: 'discarded' },
    { id: 'order-3', ...failed },
    { id: 'order-4', ...failed },
  ])
  expect(await Promise.all(ids.map(async (id) => (await sagas.get(id))?.state))).toEqual([
    'settled',
    'settled',
    'stuck',
    'stuck',
  ])
  // Nothing is lost where nothing was done, so that is an error.
  await expect(
    sagas.deadLetters.discard(['order-3', 'order-4'], 'by hand', by),
  ).rejects.toMatchObject({ code: 'store-unavailable' })
})
