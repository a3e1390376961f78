import { randomUUID } from 'node:crypto'
import { PermanentError } from '@oncekey/outbox'
import { createSagaRunner, type SagaAlert, saga } from '@oncekey/saga'
import { startProxy } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

/** A payment whose second step fails for good, and whose refund is tried once. */
function payment(name: string) {
  const story: string[] = []
  const flow = saga<null, PoolClient>(name, { version: 1 })
    .step('charge', {
      run: () => void story.push('charged'),
      compensate: () => void story.push('refunded'),
      compensationRetry: { maxAttempts: 1 },
    })
    .step('ship', {
      run() {
        throw new PermanentError('nothing in stock')
      },
    })
  return { flow, story }
}

async function proxiedPool() {
  const url = new URL(database.url())
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
  const pool = database.pool({ connectionString: proxy.through(database.url()), max: 4 })
  onTestFinished(async () => {
    await pool.end()
    await proxy.stop()
  })
  return { proxy, pool }
}

// A bug: the runner looks once a second whether somebody has cancelled a run. While the reply to
// its own move to `compensating` was under way, it took that state for a cancellation, aborted the
// signal of the run, and every compensation failed before it was called.
test('a run that goes back by itself is not taken for one that was cancelled, however late it hears', async () => {
  const { flow, story } = payment('goes-back-late')
  const { proxy, pool } = await proxiedPool()
  const sagas = createSagaRunner({ client: pool, sagas: [flow] })
  const id = randomUUID()
  const late = proxy.delayAfter('"compensating"', 1_500)
  const undone = expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
    code: 'saga-compensated',
  })
  await late
  await undone
  expect(story).toEqual(['charged', 'refunded'])
  expect(await sagas.get(id)).toMatchObject({ state: 'compensated' })
})

// A bug: a run was parked by a move whose answer was lost, and nobody was told that it needs one.
test('a run that is parked is told of, also if the answer to that is lost', async () => {
  const alerts: SagaAlert[] = []
  const { proxy, pool } = await proxiedPool()
  const flow = saga<null, PoolClient>('parked-unheard', { version: 1 }).step('charge', {
    kind: 'pivot',
    retry: { maxAttempts: 1 },
    run: () => Promise.reject(new Error('no answer')),
  })
  const sagas = createSagaRunner({
    client: pool,
    sagas: [flow],
    onAlert: (alert) => alerts.push(alert),
  })
  const lost = proxy.dropAfter('"kind":"park"')
  const { id } = await sagas.submit(flow, { id: randomUUID(), input: null })
  await sagas.runOnce()
  await lost
  expect(alerts).toMatchObject([{ kind: 'stuck', runId: id, step: 'charge', reason: 'exhausted' }])
})
