import { createSagaRunner, type SagaAlert, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

/** Writes `count` runs whose definition nobody has, due since an hour or dead. */
async function runs(prefix: string, count: number, state: 'running' | 'stuck'): Promise<void> {
  const definition = `${prefix}@1:0123456789abcdef`
  await database.query(
    `insert into oncekey.saga_runs (id, saga, version, definition, plan, fingerprint, state,
         stuck_at)
       select $1 || '-' || lpad(n::text, 5, '0'), $1, 1, $2, '[]', '', $4,
           case $4 when 'stuck' then now() end
         from generate_series(1, $3::integer) n`,
    [prefix, definition, count, state],
  )
  await database.query(
    `insert into oncekey.saga_work (run_id, definition, due_at, epoch)
       select id, definition,
           case state when 'stuck' then 'infinity' else now() - interval '1 hour' end, 1
         from oncekey.saga_runs where saga = $1`,
    [prefix],
  )
}

// A bug: runs that are stuck were read with those whose definition is unknown, a thousand in all by
// their ids. Behind a thousand dead runs a run that nobody could take was never told of, and a
// process told of a thousand at most in its life.
test('each run of an unknown definition is told of once, however many there are, and beside any number of dead runs', async () => {
  await runs('dead', 1_001, 'stuck')
  await runs('gone', 2_500, 'running')
  const flow = saga<null, PoolClient>('known', { version: 1 }).step('only', { run: () => 1 })
  const alerts: SagaAlert[] = []
  const runner = createSagaRunner<PoolClient>({
    client: database.pool(),
    sagas: [flow],
    onAlert: (alert) => alerts.push(alert),
    pollMs: 10,
  })
  runner.start()
  await waitFor(() => alerts.length >= 2_500, { what: 'the alerts' })
  await runner.stop()
  expect(new Set(alerts.map(({ runId }) => runId)).size).toBe(2_500)
  expect(alerts).toHaveLength(2_500)
  expect(new Set(alerts.map(({ saga }) => saga))).toEqual(new Set(['gone']))
  expect(alerts[0]).toMatchObject({
    kind: 'definition-unknown',
    runId: 'gone-00001',
    message: expect.stringContaining('no version of it is registered here'),
  })
})
