import { randomUUID } from 'node:crypto'
import { createSagaRunner, saga } from '@oncekey/saga'
import { startProxy, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

async function proxiedPool() {
  const url = new URL(database.url())
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
  const pool = database.pool({ connectionString: proxy.through(database.url()) })
  onTestFinished(async () => {
    await pool.end()
    await proxy.stop()
  })
  return { proxy, pool }
}

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open: () => open(), opened }
}

/** A payment that is charged, not shipped, and whose refund is tried once. */
function payment(name: string, opened: Promise<void>) {
  const story: string[] = []
  const flow = saga<null, PoolClient>(name, { version: 1 })
    .step('charge', {
      run: () => void story.push('charge'),
      compensationRetry: { maxAttempts: 1 },
      compensate() {
        story.push('refund')
        if (story.filter((each) => each === 'refund').length === 1) throw new Error('down')
      },
    })
    .step('ship', {
      retry: { maxAttempts: 1 },
      async run() {
        story.push('ship')
        await opened
        throw new Error('nothing in stock')
      },
      compensate: () => void story.push('recall'),
    })
  return { flow, story }
}

const isParked = async (id: string) =>
  (
    await database.query<{ parked: boolean }>(
      `select owner is null and not isfinite(due_at) as parked
         from oncekey.saga_work where run_id = $1`,
      [id],
    )
  )[0]?.parked
const RENEWAL = 'where w.owner is not null\n        for no key update of w skip locked'
const GIVING_BACK = 'with found as materialized'

// A bug: a renewal that was sent before its owner heard that the run was parked made the run due.
// It was claimed, and the step that had failed was called again, thousands of times.
test('a renewal that comes after a run was parked does not wake it', async () => {
  const { proxy, pool } = await proxiedPool()
  const { open, opened } = gate()
  const { flow, story } = payment('parked-and-renewed', opened)
  const sagas = createSagaRunner({ client: pool, sagas: [flow], leaseMs: 1_500, onAlert() {} })
  const id = randomUUID()
  const stranded = proxy.strandBefore(RENEWAL)
  const executed = expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
    code: 'saga-compensation-failed',
  })
  const deliver = await stranded
  open()
  await executed
  expect(await isParked(id)).toBe(true)
  await deliver()
  expect(await isParked(id)).toBe(true)
  expect(story).toEqual(['charge', 'ship', 'recall', 'refund'])
})

// What a renewal by a process of the release before does.
const wake = (id: string) =>
  database.query(`update oncekey.saga_work set due_at = now(), due_in_ms = 1 where run_id = $1`, [
    id,
  ])

test('a run that is parked and due all the same is parked again, not driven', async () => {
  const { flow, story } = payment('parked-and-due', Promise.resolve())
  const sagas = createSagaRunner({ client: database.pool(), sagas: [flow], onAlert() {} })
  const id = randomUUID()
  const executed = sagas.execute(flow, { id, input: null })
  await expect(executed).rejects.toMatchObject({ code: 'saga-compensation-failed' })
  await wake(id)
  expect(await sagas.runOnce()).toBe(1)
  expect(await isParked(id)).toBe(true)
  expect(await sagas.get(id)).toMatchObject({ state: 'compensation-failed' })
  expect(story).toEqual(['charge', 'ship', 'recall', 'refund'])
  expect(await sagas.resume(id)).toBe('compensating')
  await sagas.runOnce()
  expect(await sagas.get(id)).toMatchObject({ state: 'compensated' })
})

test('an operator who cancels it at that moment is not lost', async () => {
  const { proxy, pool } = await proxiedPool()
  const { flow, story } = payment('parked-and-cancelled', Promise.resolve())
  const sagas = createSagaRunner({ client: pool, sagas: [flow], onAlert() {} })
  const operator = await database.pool().connect()
  const id = randomUUID()
  const executed = sagas.execute(flow, { id, input: null })
  await expect(executed).rejects.toMatchObject({ code: 'saga-compensation-failed' })
  await wake(id)
  const late = proxy.delayBefore('with dead as materialized', 500)
  const driven = sagas.runOnce()
  await late
  await operator.query('begin')
  await operator.query(
    `select oncekey.saga_act_3('sagas.compensate', $1, null, null, '["saga-run"]', 2, '{}', false)`,
    [id],
  )
  await waitFor(
    async () => {
      const waiting = `select from pg_stat_activity
        where wait_event_type = 'Lock' and query like '%with dead as materialized%'`
      return (await database.query(waiting)).length > 0
    },
    { what: 'the runner to wait for the act' },
  )
  await operator.query('commit')
  operator.release()
  await driven
  expect(await sagas.get(id)).toMatchObject({ state: 'compensated' })
  expect(story).toEqual(['charge', 'ship', 'recall', 'refund', 'refund'])
})

// A bug: answers to a renewal were matched by the run alone, so the attempt that had lost its run
// to this very process went on beside the new one, and its signal did not abort.
test('an attempt whose run this process has claimed anew is aborted', async () => {
  const signals: AbortSignal[] = []
  const { open, opened } = gate()
  const flow = saga<null, PoolClient>('claimed-from-itself', { version: 1 }).step('wait', {
    run({ signal }) {
      signals.push(signal)
      return opened
    },
  })
  const sagas = createSagaRunner({ client: database.pool(), sagas: [flow] })
  const id = randomUUID()
  const executed = sagas.execute(flow, { id, input: null })
  await waitFor(() => signals.length === 1, { what: 'the step to begin' })
  await wake(id)
  const driven = sagas.runOnce()
  await waitFor(() => signals.length === 2, { what: 'the step to begin again' })
  await waitFor(() => signals[0]?.aborted, { what: 'the first attempt to be aborted' })
  expect(signals[1]?.aborted).toBe(false)
  open()
  await Promise.all([driven, executed])
})

// A bug: what was to be given back was named by its owner alone. A statement that the network
// delivered after a later one had succeeded took away runs that the process had claimed since, and
// another process called the same step beside it.
test('giving back that comes after runs were claimed anew does not take them away', async () => {
  const { proxy, pool } = await proxiedPool()
  const { open, opened } = gate()
  let begun = 0
  const flow = saga<null, PoolClient>('given-back-late', { version: 1 }).step('charge', {
    run() {
      begun += 1
      return opened
    },
  })
  const sagas = createSagaRunner({ client: pool, sagas: [flow] })
  const other = createSagaRunner({ client: database.pool(), sagas: [flow] })
  const { id } = await sagas.submit(flow, { id: randomUUID(), input: null })
  const failed = () => expect(sagas.runOnce()).rejects.toMatchObject({ code: 'store-unavailable' })
  const lost = proxy.dropAfter('saga_claim')
  await failed()
  await lost
  const stranded = proxy.strandBefore(GIVING_BACK)
  await failed()
  const deliver = await stranded
  const driven = sagas.runOnce()
  await waitFor(() => begun === 1, { what: 'the step to begin' })
  await deliver()
  expect(await other.runOnce()).toBe(0)
  expect(await sagas.get(id)).toMatchObject({ state: 'running', owner: sagas.node })
  open()
  await driven
  expect(begun).toBe(1)
  expect(await sagas.get(id)).toMatchObject({ state: 'completed' })
})
