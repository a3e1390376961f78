import { randomUUID } from 'node:crypto'
import { deadLetters } from '@oncekey/outbox'
import { createSagaRunner, saga, sagaOperator } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

test('a redrive of dead runs is carried by a runner that was started, and each run is resumed once', async () => {
  let isDown = true
  const order = saga<number, PoolClient>('order', { version: 1 }).step('charge', {
    retry: { maxAttempts: 1 },
    kind: 'pivot',
    run() {
      if (isDown) throw new Error('the bank is down')
    },
  })
  const client = database.pool()
  const runner = createSagaRunner<PoolClient>({ client, sagas: [order], onAlert: () => {} })
  const ids = Array.from({ length: 12 }, () => randomUUID())
  for (const id of ids) await runner.execute(order, { id, input: 1 }).catch(() => {})
  isDown = false
  const operator = sagaOperator({ client })
  const dead = deadLetters(operator.deadLetters)
  const by = { actor: 'maria@shop.example', note: 'the bank is back' }
  const id = await dead.startRedrive({ origin: 'order' }, { ratePerSecond: 50, ...by })
  expect(await dead.redrives?.get(id)).toMatchObject({ source: 'sagas', matched: 12, redriven: 0 })
  runner.start()
  await waitFor(async () => (await dead.redrives?.get(id))?.state === 'done', {
    what: 'the redrive',
    timeoutMs: 30_000,
  })
  await waitFor(async () => (await operator.list({ state: 'completed' })).length === 12, {
    what: 'the runs to be completed',
    timeoutMs: 30_000,
  })
  await runner.stop()
  expect(await dead.redrives?.get(id)).toMatchObject({ redriven: 12, refused: 0, ...by })
  expect(await database.query('select distinct resumes from oncekey.saga_runs')).toEqual([
    { resumes: 1 },
  ])
})
