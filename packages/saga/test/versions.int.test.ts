import { randomUUID } from 'node:crypto'
import { type SagaAlert, saga, sagaRunner } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
/** Begins a run of two steps that waits after the first, as if its process were gone. */
const begun = async (name: string): Promise<string> => {
  const before = saga<null, PoolClient>(name, { version: 1 })
    .step('reserve', { local: true, run: () => 'reserved' })
    .step('charge', {
      retry: { backoff: () => 0 },
      run() {
        throw new Error('gateway is down')
      },
    })
  const runner = sagaRunner({ client: database.pool(), sagas: [before] })
  const { id } = await runner.submit(before, { id: randomUUID(), input: null })
  expect(await runner.runOnce()).toBe(1)
  return id
}

test('a step that was renamed while runs were under way: nobody guesses, and it is said', async () => {
  const id = await begun('renamed')
  const after = saga<null, PoolClient>('renamed', { version: 1 })
    .step('reserve', { local: true, run: () => 'reserved' })
    .step('capture', { run: () => 'captured' })
  const alerts: SagaAlert[] = []
  const runner = sagaRunner<PoolClient>({
    client: database.pool(),
    sagas: [after],
    onAlert: (alert) => alerts.push(alert),
    leaseMs: 100,
    pollMs: 10,
  })
  expect(await runner.runOnce()).toBe(0)
  await expect(runner.execute(after, { id, input: null })).rejects.toMatchObject({
    code: 'saga-unknown',
    message: expect.stringContaining('has no step "charge"'),
  })
  expect(await runner.list({ saga: 'renamed', stuck: true })).toMatchObject([
    {
      id,
      stuck: {
        reason: 'definition-unknown',
        detail: expect.stringContaining('with the steps reserve, charge'),
      },
    },
  ])
  await waitFor(async () => Date.now() > Number((await runner.get(id))?.dueAt) + 100, {
    what: 'the run to have been due for a lease',
  })
  runner.start()
  await waitFor(() => alerts.length, { what: 'the alert' })
  await runner.stop()
  expect(alerts).toMatchObject([{ kind: 'definition-unknown', runId: id, saga: 'renamed' }])
  expect((await runner.get(id))?.steps).toMatchObject([{ state: 'done' }, { state: 'begun' }])
})

test('a new version beside the old one: runs end with what they began with', async () => {
  const id = await begun('versioned')
  const first = saga<null, PoolClient>('versioned', { version: 1 })
    .step('reserve', { local: true, run: () => 'reserved' })
    .step('charge', { run: () => 'charged by the first' })
  const second = saga<null, PoolClient>('versioned', { version: 2 }).step('pay', {
    run: () => 'paid by the second',
  })
  const runner = sagaRunner({ client: database.pool(), sagas: [second, first] })
  // A retried request names the new version, and finds the run it began with.
  expect(await runner.execute(second, { id, input: null })).toEqual({
    reserve: 'reserved',
    charge: 'charged by the first',
  })
  expect(await runner.execute(second, { id: randomUUID(), input: null })).toEqual({
    pay: 'paid by the second',
  })
})

test('a version that nobody has registered any more is named', async () => {
  const id = await begun('gone')
  const second = saga<null, PoolClient>('gone', { version: 2 }).step('pay', { run: () => 1 })
  const runner = sagaRunner({ client: database.pool(), sagas: [second] })
  await expect(runner.execute(second, { id, input: null })).rejects.toMatchObject({
    code: 'saga-unknown',
    message: expect.stringMatching(/version 1, and version 2 is registered here/),
  })
  expect(await runner.settle(id, 'its code is gone')).toBe('settled')
})

test('lists page by page, and purges what ended long ago', async () => {
  const flow = saga<number, PoolClient>('paged', { version: 1 }).step('only', {
    run: ({ input }) => input,
  })
  const runner = sagaRunner({ client: database.pool(), sagas: [flow] })
  for (const n of [1, 2, 3, 4, 5]) await runner.execute(flow, { id: `paged-${n}`, input: n })
  const first = await runner.list({ saga: 'paged', limit: 3 })
  const after = first.at(-1)?.id ?? ''
  const rest = await runner.list({ saga: 'paged', limit: 3, after })
  expect([...first, ...rest].map(({ id }) => id)).toEqual([1, 2, 3, 4, 5].map((n) => `paged-${n}`))
  expect(await runner.list({ saga: 'paged', state: 'compensated' })).toEqual([])
  expect(await runner.purge()).toBe(0)
  await database.query(
    `update oncekey.saga_runs set ended_at = now() - interval '31 days' where saga = 'paged'`,
  )
  expect(await runner.purge({ limit: 3 })).toBe(3)
  expect(await runner.purge()).toBe(2)
  expect(await runner.get('paged-1')).toBeUndefined()
  expect(
    await database.query(`select from oncekey.saga_steps where run_id like 'paged-%'`),
  ).toEqual([])
})

test('tables that are missing are said to be, and how to make them', async () => {
  const flow = saga<null, PoolClient>('nowhere', { version: 1 }).step('only', { run: () => 1 })
  const runner = sagaRunner({ client: database.pool(), sagas: [flow], schema: 'nowhere' })
  await expect(runner.execute(flow, { id: 'x', input: null })).rejects.toMatchObject({
    code: 'store-not-migrated',
    message: expect.stringContaining("migrateSagas(pool, { schema: 'nowhere' })"),
  })
})
