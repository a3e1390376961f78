import { randomUUID } from 'node:crypto'
import { createSagaRunner, saga, sagaOperator } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

// Regression: `execute` mistook a run that was purged before it looked for one that a failover had
// lost, and started it again. Its steps took effect up to three times, and the caller got
// `saga-unknown`.
test('a caller waiting in execute finds the end of a run, however soon it is purged', async () => {
  await database.query('create table if not exists made (run text not null)')
  const flow = saga<null, PoolClient>('purged', { version: 1 }).step('make', {
    local: true,
    async run({ runId, transaction }) {
      const tx = await transaction()
      await tx.query('insert into made values ($1)', [runId])
    },
  })
  const pool = database.pool()
  const sagas = createSagaRunner<PoolClient>({ client: pool, sagas: [flow] })
  const operator = sagaOperator({ client: pool })
  let isOver = false
  const purging = (async () => {
    while (!isOver) await operator.purge({ retentionMs: 0 })
  })()
  try {
    const ids = Array.from({ length: 50 }, () => randomUUID())
    await Promise.all(ids.map((id) => sagas.execute(flow, { id, input: null })))
  } finally {
    isOver = true
    await purging
  }
  const made = await database.query<{ run: string }>('select run from made')
  expect(made).toHaveLength(50)
  // Runs that ended long ago are purged nevertheless.
  await database.query(`update oncekey.saga_runs set ended_at = ended_at - interval '61 seconds'`)
  expect(await operator.purge({ retentionMs: 0 })).toBe(50)
})
