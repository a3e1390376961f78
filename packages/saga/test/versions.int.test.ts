import { randomUUID } from 'node:crypto'
import { createSagaRunner, type SagaAlert, saga, sagaOperator } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
/** Starts a run of two steps that waits after the first, as if its process were gone. */
const begun = async (name: string): Promise<string> => {
  const before = saga<null, PoolClient>(name, { version: 1 })
    .step('reserve', { local: true, run: () => 'reserved' })
    .step('charge', {
      retry: { backoff: () => 0 },
      run() {
        throw new Error('gateway is down')
      },
    })
  const runner = createSagaRunner({ client: database.pool(), sagas: [before] })
  const { id } = await runner.submit(before, { id: randomUUID(), input: null })
  expect(await runner.runOnce()).toBe(1)
  return id
}

test('a run whose step was renamed stays untouched, and an alert says so', async () => {
  const id = await begun('renamed')
  const after = saga<null, PoolClient>('renamed', { version: 1 })
    .step('reserve', { local: true, run: () => 'reserved' })
    .step('capture', { run: () => 'captured' })
  const alerts: SagaAlert[] = []
  const runner = createSagaRunner<PoolClient>({
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

test('runs end with the version they started with, beside a newer one', async () => {
  const id = await begun('versioned')
  const first = saga<null, PoolClient>('versioned', { version: 1 })
    .step('reserve', { local: true, run: () => 'reserved' })
    .step('charge', { run: () => 'charged by the first' })
  const second = saga<null, PoolClient>('versioned', { version: 2 }).step('pay', {
    run: () => 'paid by the second',
  })
  const runner = createSagaRunner({ client: database.pool(), sagas: [second, first] })
  // A retried request names the new version, and finds the run of the old one.
  expect(await runner.execute(second, { id, input: null })).toEqual({
    reserve: 'reserved',
    charge: 'charged by the first',
  })
  expect(await runner.execute(second, { id: randomUUID(), input: null })).toEqual({
    pay: 'paid by the second',
  })
})

// A bug: `get` said of a run that another process was driving that nobody continues it, and in a
// process without sagas it compared the database's times with its own clock.
test('a run of another version that is under way elsewhere is not stuck', async () => {
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const flow = (version: number) =>
    saga<null, PoolClient>('elsewhere', { version }).step('wait', { run: () => held })
  const owner = createSagaRunner({ client: database.pool(), sagas: [flow(2)] })
  const other = createSagaRunner({ client: database.pool(), sagas: [flow(1)] })
  const { id } = await owner.submit(flow(2), { id: randomUUID(), input: null })
  expect((await other.get(id))?.stuck).toMatchObject({ reason: 'definition-unknown' })
  const driven = owner.runOnce()
  await waitFor(async () => (await other.get(id))?.owner, { what: 'the run to begin' })
  expect((await other.get(id))?.stuck).toBeUndefined()
  letGo()
  await driven
})

test('whether a run is overdue is decided by the clock of the database', async () => {
  const id = await begun('judged-late')
  const operator = sagaOperator({ client: database.pool() })
  vi.setSystemTime(Date.now() + 600_000)
  onTestFinished(() => void vi.useRealTimers())
  expect((await operator.get(id))?.stuck).toBeUndefined()
  await database.query(
    `update oncekey.saga_work set due_at = now() - interval '2 minutes' where run_id = $1`,
    [id],
  )
  vi.setSystemTime(Date.now() - 1_200_000)
  expect((await operator.get(id))?.stuck).toMatchObject({ reason: 'definition-unknown' })
})

test('names a version that is no longer registered', async () => {
  const id = await begun('gone')
  const second = saga<null, PoolClient>('gone', { version: 2 }).step('pay', { run: () => 1 })
  const runner = createSagaRunner({ client: database.pool(), sagas: [second] })
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
  const runner = createSagaRunner({ client: database.pool(), sagas: [flow] })
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

describe('a step whose `local` changed without a new version', () => {
  const story: string[] = []
  const charging = (name: string, local: boolean, run: () => Promise<void>) =>
    saga<null, PoolClient>(name, { version: 1 }).step('charge', {
      local,
      retry: { maxAttempts: 2, backoff: () => 0 },
      run,
      compensate: () => void story.push(`${name} refunded`),
    })
  const runnerFor = (flow: ReturnType<typeof charging>) =>
    createSagaRunner<PoolClient>({ client: database.pool(), sagas: [flow] })
  const failing = async () => {
    throw new Error('no answer')
  }

  test('from local to outside is recorded before it runs, and undone when cancelled', async () => {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const before = charging('was-local', true, failing)
    const now = charging('was-local', false, async () => {
      story.push('was-local charged')
      await held
      await failing()
    })
    const id = randomUUID()
    const first = runnerFor(before)
    await first.submit(before, { id, input: null })
    await first.runOnce()
    const runner = runnerFor(now)
    const running = runner.runOnce()
    await waitFor(() => story.includes('was-local charged'), { what: 'the charge' })
    expect((await runner.get(id))?.steps).toMatchObject([{ state: 'begun', attempts: 1 }])
    await runner.compensate(id)
    letGo()
    await running
    expect(story).toContain('was-local refunded')
    expect(await runner.get(id)).toMatchObject({ state: 'compensated' })
  })

  test('from outside to local has the possible effect of its earlier attempt undone', async () => {
    const before = charging('was-outside', false, failing)
    const now = charging('was-outside', true, failing)
    const id = randomUUID()
    const first = runnerFor(before)
    await first.submit(before, { id, input: null })
    await first.runOnce()
    const runner = runnerFor(now)
    await runner.runOnce()
    expect(await runner.get(id)).toMatchObject({ state: 'compensated' })
    expect(story).toContain('was-outside refunded')
  })

  test('if it is the pivot and may have happened outside, is not undone', async () => {
    const pivot = (local: boolean) =>
      saga<null, PoolClient>('pivot-was-outside', { version: 1 })
        .step('reserve', { run: () => {}, compensate: () => void story.push('unreserved') })
        .step('pay', {
          local,
          kind: 'pivot',
          retry: { maxAttempts: 2, backoff: () => 0 },
          run: failing,
        })
    const id = randomUUID()
    const first = createSagaRunner<PoolClient>({ client: database.pool(), sagas: [pivot(false)] })
    await first.submit(pivot(false), { id, input: null })
    await first.runOnce()
    const sagas = [pivot(true)]
    const runner = createSagaRunner<PoolClient>({
      client: database.pool(),
      sagas,
      onAlert: () => {},
    })
    await runner.runOnce()
    expect(await runner.get(id)).toMatchObject({ state: 'stuck' })
    expect(story).not.toContain('unreserved')
  })
})

test('reports missing tables and how to create them', async () => {
  const flow = saga<null, PoolClient>('nowhere', { version: 1 }).step('only', { run: () => 1 })
  const runner = createSagaRunner({ client: database.pool(), sagas: [flow], schema: 'nowhere' })
  await expect(runner.execute(flow, { id: 'x', input: null })).rejects.toMatchObject({
    code: 'store-not-migrated',
    message: expect.stringContaining(
      "migrate(pool, { schema: 'nowhere', also: [sagaMigrations] })",
    ),
  })
})
