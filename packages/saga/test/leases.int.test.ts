import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { backoff } from '@oncekey/outbox'
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
    await database.query<{ owner: string | null; epoch: string; lost: number; due: Date }>(
      'select owner, epoch, lost, due_at as due from oncekey.saga_work where run_id = $1',
      [id],
    )
  )[0]
/** Ends the lease, as if its owner had not renewed it. */
const expire = (id: string) =>
  database.query(`update oncekey.saga_work set due_at = now() - interval '1 s' where run_id = $1`, [
    id,
  ])
const gate = () => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

describe('a lease', () => {
  test('is renewed while a step takes longer than the lease', async () => {
    const { open, opened } = gate()
    const flow = saga<null, PoolClient>('long', { version: 1 }).step('wait', { run: () => opened })
    const sagas = runnerOf([flow], { leaseMs: 1_500 })
    const id = randomUUID()
    const running = sagas.execute(flow, { id, input: null })
    const first = await waitFor(() => workOf(id), { what: 'the run to begin' })
    await waitFor(async () => Number((await workOf(id))?.due) > Number(first.due) + 3_000, {
      what: 'two leases to pass',
    })
    expect(await runnerOf([flow]).runOnce()).toBe(0)
    open()
    await running
    expect((await sagas.get(id))?.steps).toMatchObject([{ attempts: 1 }])
  })

  test('when lost aborts the step, and nothing of the step is recorded', async () => {
    const aborted: unknown[] = []
    const flow = (isFirst: boolean) =>
      saga<null, PoolClient>('stolen', { version: 1 }).step('wait', {
        run: ({ signal }) =>
          isFirst
            ? new Promise<string>((resolve) => {
                signal.addEventListener('abort', () => {
                  aborted.push(signal.reason)
                  resolve('of the first')
                })
              })
            : 'of the second',
      })
    const first = runnerOf([flow(true)], { leaseMs: 1_500 })
    const second = runnerOf([flow(false)])
    const id = randomUUID()
    const running = first.execute(flow(true), { id, input: null })
    await waitFor(() => workOf(id), { what: 'the run to begin' })
    await waitFor(
      async () => {
        await expire(id)
        return second.runOnce()
      },
      { what: 'the second process to have it', intervalMs: 1 },
    )
    expect(await running).toEqual({ wait: 'of the second' })
    await waitFor(() => aborted.length, { what: 'the signal to abort' })
    expect(aborted).toEqual([expect.objectContaining({ code: 'attempt-over' })])
  })

  test('lost in the middle of a local step refuses even its first write', async () => {
    const { open, opened } = gate()
    const flow = (wait: Promise<void> | undefined) =>
      saga<null, PoolClient>('fenced', { version: 1 }).step('write', {
        local: true,
        async run({ runId, transaction }) {
          await wait
          const tx = await transaction()
          await tx.query('insert into effects values ($1, $2)', [runId, String(wait)])
        },
      })
    const first = runnerOf([flow(opened)])
    const second = runnerOf([flow(undefined)])
    const id = randomUUID()
    const running = first.execute(flow(opened), { id, input: null })
    await waitFor(() => workOf(id), { what: 'the run to begin' })
    await expire(id)
    expect(await second.runOnce()).toBe(1)
    open()
    await running
    expect(await database.query('select step from effects where run = $1', [id])).toEqual([
      { step: 'undefined' },
    ])
  })

  test('lets one of two processes resume a run at the same time', async () => {
    let calls = 0
    const flow = saga<null, PoolClient>('race', { version: 1 }).step('call', {
      run: () => void calls++,
    })
    const runners = Array.from({ length: 4 }, () => runnerOf([flow]))
    for (let n = 1; n <= 20; n++) {
      await runners[0]!.submit(flow, { id: randomUUID(), input: null })
      const took = await Promise.all(runners.map((runner) => runner.runOnce()))
      expect(took.reduce((sum, each) => sum + each)).toBe(1)
      expect(calls).toBe(n)
    }
  })

  test('lost maxLost times in one step counts as a failure of that step', async () => {
    const flow = saga<null, PoolClient>('poison', { version: 1 }).step('call', {
      run: () => new Promise<void>(() => {}),
    })
    const id = randomUUID()
    const left: SagaRunner<PoolClient>[] = []
    for (let n = 0; n < 3; n++) {
      // Each attempt hangs until its lease ends.
      const runner = runnerOf([flow], { maxLost: 3, leaseMs: 60_000 })
      left.push(runner)
      if (n === 0) await runner.submit(flow, { id, input: null })
      void runner.runOnce()
      await waitFor(async () => (await workOf(id))?.owner === runner.node, { what: 'it to begin' })
      await expire(id)
    }
    const last = runnerOf([flow], { maxLost: 3 })
    await expect(last.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
      cause: { name: 'ProcessLost' },
    })
    for (const runner of left) await runner.stop({ timeoutMs: 1 })
  })
})

test('taken away while a step is under way has that step undone too, because its effect is unknown', async () => {
  const undone: unknown[] = []
  const flow = saga<null, PoolClient>('taken-back', { version: 1 })
    .step('first', { local: true, run: () => 1, compensate: () => void undone.push('first') })
    .step('second', {
      run: ({ signal }) =>
        new Promise<void>((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
      compensate: ({ result }) => void undone.push(['second', result]),
    })
  const [first, second] = [runnerOf([flow], { leaseMs: 1_500 }), runnerOf([flow])]
  const id = randomUUID()
  const waiting = expect(first.execute(flow, { id, input: null })).rejects.toMatchObject({
    code: 'saga-compensated',
    cause: { message: 'the customer called' },
  })
  await waitFor(async () => (await first.get(id))?.steps[1], { what: 'the second step to begin' })
  expect(await second.compensate(id, { note: 'the customer called' })).toBe('compensating')
  await waiting
  expect(undone).toEqual([['second', undefined], 'first'])
})

describe('stop()', () => {
  test('lets the step under way finish, and leaves the rest of the run to other processes at once', async () => {
    const { open, opened } = gate()
    const flow = saga<null, PoolClient>('drained', { version: 1 })
      .step('first', { run: () => opened })
      .step('second', { run: () => 2 })
    const sagas = runnerOf([flow], { leaseMs: 60_000 })
    sagas.start()
    const { id } = await sagas.submit(flow, { id: randomUUID(), input: null })
    const waiting = sagas.execute(flow, { id, input: null })
    await waitFor(async () => (await workOf(id))?.owner, { what: 'the run to be taken' })
    const stopping = sagas.stop()
    const refused = expect(waiting).rejects.toMatchObject({ code: 'draining' })
    open()
    await stopping
    await refused
    expect(await sagas.get(id)).toMatchObject({
      owner: undefined,
      steps: [
        { name: 'first', state: 'done' },
        { name: 'second', state: 'begun' },
      ],
    })
    await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'draining',
    })
    const other = runnerOf([flow])
    expect(await other.runOnce()).toBe(1)
    expect((await other.get(id))?.state).toBe('completed')
  })

  test('aborts a step that does not finish in time', async () => {
    const flow = saga<null, PoolClient>('drained-late', { version: 1 }).step('first', {
      run: () => new Promise<void>(() => {}),
    })
    const sagas = runnerOf([flow])
    const id = randomUUID()
    const waiting = sagas.execute(flow, { id, input: null }).catch((error) => error)
    await waitFor(async () => (await workOf(id))?.owner, { what: 'the run to be taken' })
    await sagas.stop({ timeoutMs: 10 })
    expect(await waiting).toMatchObject({ code: 'draining' })
    expect((await sagas.get(id))?.state).toBe('running')
  })
})

describe('a waiting caller', () => {
  test('can stop waiting, and the run continues', async () => {
    const { open, opened } = gate()
    const flow = saga<null, PoolClient>('impatient', { version: 1 }).step('wait', {
      run: () => opened,
    })
    const sagas = runnerOf([flow])
    const id = randomUUID()
    await expect(sagas.execute(flow, { id, input: null, waitMs: 20 })).rejects.toMatchObject({
      code: 'saga-in-progress',
      runId: id,
    })
    const reason = new Error('gone')
    const signal = AbortSignal.abort(reason)
    await expect(sagas.execute(flow, { id, input: null, signal })).rejects.toBe(reason)
    open()
    expect(await sagas.execute(flow, { id, input: null })).toEqual({ wait: null })
  })

  test('learns that the run ended in another process', async () => {
    const { open, opened } = gate()
    const flow = saga<null, PoolClient>('heard', { version: 1 }).step('wait', {
      run: async () => {
        await opened
        return 'done'
      },
    })
    const [here, there] = [runnerOf([flow]), runnerOf([flow])]
    const id = randomUUID()
    const first = here.execute(flow, { id, input: null })
    await waitFor(() => workOf(id), { what: 'the run to begin' })
    const second = there.execute(flow, { id, input: null })
    open()
    expect(await Promise.all([first, second])).toEqual([{ wait: 'done' }, { wait: 'done' }])
  })
})

describe('a commit whose connection is lost', () => {
  test.each([
    { kind: 'local', lose: 'dropAfter', attempts: 1 },
    { kind: 'local', lose: 'dropBefore', attempts: 2 },
    { kind: 'outside', lose: 'dropAfter', attempts: 1 },
    { kind: 'outside', lose: 'dropBefore', attempts: 2 },
  ] as const)(
    '$kind, $lose: the database says how it ended, and the step takes effect once',
    async ({ kind, lose, attempts }) => {
      const url = new URL(database.url())
      const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
      let calls = 0
      const flow = saga<null, PoolClient>(`in-doubt-${kind}`, { version: 1 })
        .step('write', {
          local: kind === 'local',
          retry: { backoff: backoff({ baseMs: 1 }) },
          async run({ runId, transaction }) {
            const tx = await transaction()
            await tx.query('insert into effects values ($1, $2)', [runId, 'write'])
            if (calls++ === 0) void proxy[lose]('saga_record')
          },
        })
        .step('after', { local: true, run: () => 'after' })
      const pool = database.pool({ connectionString: proxy.through(database.url()) })
      const sagas = createSagaRunner<PoolClient>({ client: pool, sagas: [flow] })
      const id = randomUUID()
      const failures: unknown[] = []
      const listen = (message: unknown) => void failures.push(message)
      subscribe('oncekey:saga-error', listen)
      expect(await sagas.execute(flow, { id, input: null })).toEqual({
        write: null,
        after: 'after',
      })
      unsubscribe('oncekey:saga-error', listen)
      expect(failures).toEqual([expect.objectContaining({ during: 'drive', runId: id })])
      expect(calls).toBe(attempts)
      expect(await database.query('select step from effects where run = $1', [id])).toHaveLength(1)
      await pool.end()
      await proxy.stop()
    },
  )
})
