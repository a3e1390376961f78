import { randomUUID } from 'node:crypto'
import {
  type AnySaga,
  createSagaRunner,
  type SagaRunner,
  type SagaRunnerOptions,
  saga,
} from '@oncekey/saga'
import { startProxy, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
const runnerOf = (
  sagas: AnySaga<PoolClient>[],
  options: Partial<SagaRunnerOptions<PoolClient>> = {},
): SagaRunner<PoolClient> =>
  createSagaRunner<PoolClient>({ client: database.pool(), sagas, ...options })
const workOf = async (id: string) =>
  (
    await database.query<{ owner: string | null; lost: number; due: boolean }>(
      'select owner, lost, due_at <= now() as due from oncekey.saga_work where run_id = $1',
      [id],
    )
  )[0]

test.each([NaN, -1, -Infinity, '1000', null])(
  'stop() refuses the timeout %s, and the runner keeps running',
  async (timeoutMs) => {
    const flow = saga<null, PoolClient>('stopped-for', { version: 1 }).step('only', {
      local: true,
      run: () => 1,
    })
    const runner = runnerOf([flow])
    await expect(runner.stop({ timeoutMs: timeoutMs as number })).rejects.toThrow(
      /stop: timeoutMs must be milliseconds from 0, or Infinity/,
    )
    expect(await runner.execute(flow, { id: randomUUID(), input: null })).toEqual({ only: 1 })
    await runner.stop()
  },
)

test.each([30 * 86_400_000, 2 ** 31, Infinity])(
  'stop() with a timeout of %d ms lets the step under way finish',
  async (timeoutMs) => {
    let finish: (() => void) | undefined
    let aborted = false
    const flow = saga<null, PoolClient>('stopped-late', { version: 1 }).step('slow', {
      run: ({ signal }) =>
        new Promise<string>((resolve) => {
          signal.addEventListener('abort', () => {
            aborted = true
          })
          finish = () => resolve('done')
        }),
    })
    const runner = runnerOf([flow])
    const run = runner.execute(flow, { id: randomUUID(), input: null })
    await waitFor(() => finish !== undefined, { what: 'the step to begin' })
    const stopped = runner.stop({ timeoutMs })
    // An overflowing timer would fire before this one.
    await new Promise((resolve) => setTimeout(resolve, 50))
    finish?.()
    expect(await run).toEqual({ slow: 'done' })
    await stopped
    expect(aborted).toBe(false)
  },
)

describe('a deploy is not a crash', () => {
  test.each(['that heeds its signal', 'that does not return'])(
    'ten graceful stops in the middle of a step %s count no attempt and undo nothing',
    async (how) => {
      const starts: number[] = []
      const undone: string[] = []
      const flow = (last: boolean) =>
        saga<null, PoolClient>(`deployed-${how.length}`, { version: 1 })
          .step('first', { local: true, run: () => 1, compensate: () => void undone.push('first') })
          .step('slow', {
            retry: { maxAttempts: 2 },
            run({ signal, attempt }) {
              starts.push(attempt)
              if (last) return 'done'
              return new Promise((_, reject) => {
                if (how === 'that does not return') return
                signal.addEventListener('abort', () => reject(signal.reason))
              })
            },
          })
      const id = randomUUID()
      for (let n = 0; n < 10; n++) {
        const old = runnerOf([flow(false)], { maxLost: 3, pollMs: 5, leaseMs: 60_000 })
        if (n === 0) await old.submit(flow(false), { id, input: null })
        old.start()
        await waitFor(() => starts.length > n, { what: 'the step to begin' })
        await old.stop({ timeoutMs: 1 })
        const work = await workOf(id)
        const isFree = how === 'that heeds its signal'
        // Whoever claims it counts its owner as lost, so that is made up for beforehand.
        const left = isFree ? { owner: null, lost: 0 } : { owner: old.node, lost: -1 }
        expect(work).toMatchObject({ ...left, due: isFree })
        await database.query('update oncekey.saga_work set due_at = now() where run_id = $1', [id])
      }
      const last = runnerOf([flow(true)], { maxLost: 3 })
      expect(await last.execute(flow(true), { id, input: null })).toEqual({
        first: 1,
        slow: 'done',
      })
      expect(new Set(starts)).toEqual(new Set([1]))
      expect(undone).toEqual([])
    },
    60_000,
  )

  test('a compensation that a stop aborts is given up, too', async () => {
    const calls: string[] = []
    const flow = (last: boolean) =>
      saga<null, PoolClient>('deployed-back', { version: 1 })
        .step('first', {
          run: () => 1,
          compensationRetry: { maxAttempts: 1 },
          compensate({ signal }) {
            calls.push('undo')
            if (last) return
            return new Promise((_, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason))
            })
          },
        })
        .step('second', {
          retry: { maxAttempts: 1 },
          run: () => Promise.reject(new Error('declined')),
        })
    const id = randomUUID()
    const old = runnerOf([flow(false)])
    const waiting = old.execute(flow(false), { id, input: null }).catch((error) => error)
    await waitFor(() => calls.length, { what: 'the compensation to begin' })
    await old.stop({ timeoutMs: 1 })
    expect(await waiting).toMatchObject({ code: 'draining' })
    await expect(
      runnerOf([flow(true)]).execute(flow(true), { id, input: null }),
    ).rejects.toMatchObject({ code: 'saga-compensated', cause: { message: 'declined' } })
    expect(calls).toEqual(['undo', 'undo'])
  })
})

// A bug: a runner that was stopped claimed runs in `runOnce`, handed each of them over at once and
// returned their number. Whoever called it until it returned 0 never came to an end.
test('runOnce() of a runner that was stopped refuses to run', async () => {
  const flow = saga<null, PoolClient>('stopped-round', { version: 1 }).step('only', {
    local: true,
    run: () => 1,
  })
  const runner = runnerOf([flow])
  const { id } = await runner.submit(flow, { id: randomUUID(), input: null })
  await runner.stop()
  await expect(runner.runOnce()).rejects.toThrow('runOnce: this runner was stopped')
  const another = runnerOf([flow])
  expect(await another.runOnce()).toBe(1)
  expect((await another.get(id))?.state).toBe('completed')
  await another.stop()
})
// A bug: the run of a step that did not return belonged to nobody until its lease was over, so an
// operator's act took it at once. The charge was refunded first, and then it was made.
test.each(['compensate', 'resume'] as const)(
  'a step that still runs in a stopped process is not undone or repeated beside it by %s',
  async (act) => {
    const story: string[] = []
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const flow = saga<null, PoolClient>(`left-to-${act}`, { version: 1 }).step('charge', {
      async run() {
        story.push('charging')
        if (story.length === 1) await held
        story.push('charged')
      },
      compensate: () => void story.push('refunded'),
    })
    const old = runnerOf([flow], { leaseMs: 60_000 })
    const { id } = await old.submit(flow, { id: randomUUID(), input: null })
    void old.runOnce()
    await waitFor(() => story.length > 0, { what: 'the charge to begin' })
    await old.stop({ timeoutMs: 1 })
    const next = runnerOf([flow])
    await next[act](id)
    expect(await next.runOnce()).toBe(0)
    letGo()
    await waitFor(() => story.length > 1, { what: 'the charge to end' })
    expect(story).toEqual(['charging', 'charged'])
    await database.query('update oncekey.saga_work set due_at = now() where run_id = $1', [id])
    expect(await next.runOnce()).toBe(1)
    const last = act === 'resume' ? ['charging', 'charged'] : ['refunded']
    expect(story).toEqual(['charging', 'charged', ...last])
  },
)

// A bug: whether the function still ran was told from whether the stop had waited for it in vain.
// If the step's time limit was over just before, the run was free at once.
test('a step that runs on after its time limit is not undone beside it when its process stops', async () => {
  const story: string[] = []
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const flow = saga<null, PoolClient>('late-and-left', { version: 1 }).step('charge', {
    timeoutMs: 300,
    async run({ signal }) {
      signal.addEventListener('abort', () => story.push('too late'))
      await held
      story.push('charged')
    },
    compensate: () => void story.push('refunded'),
  })
  const old = runnerOf([flow], { leaseMs: 60_000 })
  const { id } = await old.submit(flow, { id: randomUUID(), input: null })
  void old.runOnce()
  await waitFor(() => story.length > 0, { what: 'the time limit', intervalMs: 1 })
  await old.stop({ timeoutMs: 1 })
  expect(await workOf(id)).toMatchObject({ owner: old.node, lost: -1, due: false })
  const next = runnerOf([flow])
  expect(await next.compensate(id)).toBe('compensating')
  expect(await next.runOnce()).toBe(0)
  letGo()
  await waitFor(() => story.length > 1, { what: 'the charge to end' })
  await database.query('update oncekey.saga_work set due_at = now() where run_id = $1', [id])
  expect(await next.runOnce()).toBe(1)
  expect(story).toEqual(['too late', 'charged', 'refunded'])
})

// A bug: such a run was recorded like one whose step has ended, and the deaths of its owners were
// forgotten. With a deploy between them, a step could end any number of processes.
test('a run that is handed over before its step has begun keeps the number of lost owners', async () => {
  const flow = saga<null, PoolClient>('handed-over', { version: 1 }).step('only', { run: () => 1 })
  const old = runnerOf([flow], { pollMs: 5 })
  const { id } = await old.submit(flow, { id: randomUUID(), input: null })
  await database.query(
    `update oncekey.saga_work set owner = 'gone', lost = 3, due_at = now() - interval '1 hour'
       where run_id = $1`,
    [id],
  )
  // The claim waits here until the runner is stopping.
  await database.query(`create function wait_for_gate() returns trigger language plpgsql as $$
    begin perform pg_advisory_xact_lock(90218); return new; end $$`)
  await database.query(`create trigger gate before update on oncekey.saga_work for each row
    when (new.owner is distinct from old.owner) execute function wait_for_gate()`)
  const gate = await database.pool().connect()
  await gate.query('select pg_advisory_lock(90218)')
  old.start()
  await waitFor(
    async () =>
      (
        await database.query(
          `select from pg_stat_activity where datname = current_database()
             and wait_event_type = 'Lock' and query like '%saga_claim%'`,
        )
      ).length > 0,
    { what: 'the claim to wait' },
  )
  const stopped = old.stop({ timeoutMs: 5_000 })
  await gate.query('select pg_advisory_unlock(90218)')
  await stopped
  gate.release(true)
  await database.query('drop trigger gate on oncekey.saga_work')
  expect(await workOf(id)).toEqual({ owner: null, lost: 4, due: true })
  expect((await old.get(id))?.steps[0]?.attempts).toBe(0)
})

test('stop() resolves in time while the database does not answer', async () => {
  const url = new URL(database.url())
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
  const pool = database.pool({ connectionString: proxy.through(database.url()) })
  let begun = false
  const flow = saga<null, PoolClient>('half-open', { version: 1 }).step('write', {
    local: true,
    async run({ transaction, signal }) {
      await transaction()
      begun = true
      await new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason)),
      )
    },
  })
  const sagas = createSagaRunner<PoolClient>({ client: pool, sagas: [flow], pollMs: 20 })
  sagas.start()
  await sagas.submit(flow, { id: randomUUID(), input: null })
  await waitFor(() => begun, { what: 'the step to begin' })
  proxy.stall()
  let stopped = false
  void sagas.stop({ timeoutMs: 100 }).then(() => {
    stopped = true
  })
  await waitFor(() => stopped, { what: 'stop() to resolve', timeoutMs: 4_000 })
  await proxy.stop()
})
