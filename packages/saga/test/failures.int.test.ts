import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { backoff } from '@oncekey/outbox'
import {
  type AnySaga,
  createSagaRunner,
  PermanentError,
  type Retry,
  type SagaAlert,
  type SagaRunner,
  type SagaRunnerOptions,
  saga,
} from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
const AT_ONCE = backoff({ baseMs: 1, capMs: 1 })
const retry: Retry = { maxAttempts: 3, backoff: AT_ONCE }
const note = (tx: PoolClient, run: string, step: string) =>
  tx.query('insert into effects values ($1, $2)', [run, step])
const effectsOf = async (run: string) =>
  (await database.query<{ step: string }>('select step from effects where run = $1', [run])).map(
    ({ step }) => step,
  )

function runnerOf(
  sagas: AnySaga<PoolClient>[],
  options: Partial<SagaRunnerOptions<PoolClient>> = {},
): { sagas: SagaRunner<PoolClient>; alerts: SagaAlert[] } {
  const alerts: SagaAlert[] = []
  const made = createSagaRunner<PoolClient>({
    client: database.pool(),
    sagas,
    onAlert: (alert) => alerts.push(alert),
    ...options,
  })
  return { sagas: made, alerts }
}

describe('an attempt', () => {
  test('of a local step is rolled back when it fails, and the next one starts from scratch', async () => {
    const flow = saga<null, PoolClient>('local-retry', { version: 1 }).step('write', {
      local: true,
      retry,
      async run({ attempt, runId, transaction }) {
        await note(await transaction(), runId, `attempt ${attempt}`)
        if (attempt < 3) throw new Error('not yet')
      },
    })
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    await sagas.execute(flow, { id, input: null })
    expect(await effectsOf(id)).toEqual(['attempt 3'])
  })

  test('of an outside step uses the same key every time', async () => {
    const keys: string[] = []
    const flow = saga<null, PoolClient>('keys', { version: 1 }).step('call', {
      retry,
      run({ attempt, idempotencyKey }) {
        keys.push(idempotencyKey)
        if (attempt < 3) throw new Error('not yet')
      },
    })
    const { sagas } = runnerOf([flow])
    await sagas.execute(flow, { id: randomUUID(), input: null })
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
  })

  test('can be made by another process, because the wait before it is in the database', async () => {
    const flow = (attempts: number[]) =>
      saga<null, PoolClient>('elsewhere', { version: 1 }).step('call', {
        retry: { backoff: () => 1 },
        run({ attempt }) {
          attempts.push(attempt)
          if (attempt === 1) throw new Error('not here')
          return 'there'
        },
      })
    const [here, there]: [number[], number[]] = [[], []]
    const first = runnerOf([flow(here)])
    const second = runnerOf([flow(there)])
    const { id } = await first.sagas.submit(flow(here), { id: randomUUID(), input: null })
    expect(await first.sagas.runOnce()).toBe(1)
    expect(await first.sagas.get(id)).toMatchObject({ state: 'running', owner: undefined })
    await waitFor(() => second.sagas.runOnce(), { what: 'the run to be due' })
    expect(await first.sagas.get(id)).toMatchObject({ state: 'completed' })
    expect([here, there]).toEqual([[1], [2]])
  })

  test('that exceeds its time limit is aborted and counts as failed', async () => {
    const reasons: unknown[] = []
    const flow = saga<null, PoolClient>('slow', { version: 1 }).step('call', {
      timeoutMs: 30,
      retry: { maxAttempts: 2, backoff: AT_ONCE },
      run: ({ signal }) =>
        new Promise<void>(() => {
          signal.addEventListener('abort', () => reasons.push(signal.reason))
        }),
    })
    const { sagas } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
      cause: { code: 'handler-timeout' },
    })
    expect(reasons).toEqual([
      expect.objectContaining({ code: 'handler-timeout' }),
      expect.objectContaining({ code: 'handler-timeout' }),
    ])
  })

  test('that returns shortly after its time limit has ended before it is repeated or undone', async () => {
    const story: string[] = []
    const flow = saga<null, PoolClient>('ends-late', { version: 1 }).step('charge', {
      timeoutMs: 1_000,
      retry: { maxAttempts: 2, backoff: AT_ONCE },
      async run({ signal, attempt }) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        // Waits for a compensation, which must not happen.
        const giveUpAt = performance.now() + 300
        while (!story.includes('refunded') && performance.now() < giveUpAt) {
          await new Promise((resolve) => setImmediate(resolve))
        }
        story.push(`charged ${attempt}`)
      },
      compensate: () => void story.push('refunded'),
    })
    const { sagas } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      cause: { code: 'handler-timeout' },
    })
    expect(story).toEqual(['charged 1', 'charged 2', 'refunded'])
  })

  test('that is over can neither emit events nor open a transaction', async () => {
    let late: (() => Promise<unknown>) | undefined
    let emit: (() => void) | undefined
    const flow = saga<null, PoolClient>('late', { version: 1 }).step('write', {
      local: true,
      run(context) {
        late = () => context.transaction()
        emit = () => context.emit({ type: 'late' })
      },
    })
    const { sagas } = runnerOf([flow])
    await sagas.execute(flow, { id: randomUUID(), input: null })
    await expect(late?.()).rejects.toMatchObject({ code: 'transaction-over' })
    expect(emit).toThrow(expect.objectContaining({ code: 'attempt-over' }))
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('pager is down')
      },
    ],
    ['rejects', () => Promise.reject(new Error('pager is down'))],
  ])('an alert hook that %s is reported and does not end the process', async (how, onAlert) => {
    const flow = saga<null, PoolClient>(`alert-${how}`, { version: 1 }).step('send', {
      kind: 'retriable',
      retry: { maxAttempts: 1 },
      run() {
        throw new Error('no')
      },
    })
    const { sagas } = runnerOf([flow], { onAlert: onAlert as () => void })
    const told: unknown[] = []
    const listen = (message: unknown) => void told.push(message)
    subscribe('oncekey:saga-error', listen)
    const id = randomUUID()
    await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-stuck',
    })
    await waitFor(() => told.length, { what: 'the failure to be told' })
    unsubscribe('oncekey:saga-error', listen)
    const error = expect.objectContaining({ message: 'pager is down' })
    expect(told).toEqual([{ during: 'alert', runId: id, error }])
  })

  test('that leaves a run stuck again replaces the step it is stuck at', async () => {
    const broken = new Set(['pay', 'send'])
    const step = (name: string) => ({
      retry: { maxAttempts: 1 },
      run() {
        if (broken.has(name)) throw new Error(`${name} failed`)
      },
    })
    const flow = saga<null, PoolClient>('stuck-twice', { version: 1 })
      .step('pay', { kind: 'pivot', ...step('pay') })
      .step('send', { kind: 'retriable', ...step('send') })
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    for (const at of ['pay', 'send']) {
      await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
        code: 'saga-stuck',
        step: at,
        message: expect.stringContaining(`"${at}"`),
      })
      expect(await sagas.get(id)).toMatchObject({
        failedStep: at,
        stuck: { detail: expect.stringContaining(`"${at}"`) },
        error: { message: `${at} failed` },
      })
      broken.delete(at)
      expect(await sagas.resume(id)).toBe('running')
    }
    await sagas.execute(flow, { id, input: null })
    expect(await sagas.get(id)).toMatchObject({ state: 'completed' })
  })

  test('can be replaced by settling the run while it waits, but not while a process drives it', async () => {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    let tries = 0
    const flow = saga<boolean, PoolClient>('settled-waiting', { version: 1 }).step('send', {
      kind: 'retriable',
      retry: { backoff: () => 3_600_000 },
      async run({ input }) {
        tries += 1
        if (input) await held
        throw new Error('not yet')
      },
    })
    const { sagas } = runnerOf([flow])
    const [waiting, driven] = [randomUUID(), randomUUID()]
    await sagas.submit(flow, { id: waiting, input: false })
    await sagas.runOnce()
    expect(await sagas.settle(waiting, 'sent by hand')).toBe('settled')
    await expect(sagas.execute(flow, { id: waiting, input: false })).rejects.toMatchObject({
      code: 'saga-settled',
    })
    await sagas.submit(flow, { id: driven, input: true })
    const driving = sagas.runOnce()
    await waitFor(() => tries === 2, { what: 'the step to be under way' })
    expect(await sagas.settle(driven, 'sent by hand')).toBe('running')
    letGo()
    await driving
  })

  test('that swallowed an SQL error has failed, and its error explains why', async () => {
    const flow = saga<null, PoolClient>('swallowed', { version: 1 }).step('write', {
      local: true,
      retry: { maxAttempts: 1 },
      async run({ transaction, emit }) {
        const tx = await transaction()
        await tx.query('select from nothing_there').catch(() => {})
        emit({ type: 'never' })
      },
    })
    const { sagas } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
      cause: { code: 'transaction-aborted' },
    })
    expect(await database.query(`select from oncekey.outbox where type = 'never'`)).toEqual([])
  })

  test('that committed its transaction itself has failed, and its error explains why', async () => {
    await database.query(
      `create or replace procedure sly() language plpgsql as 'begin commit; end'`,
    )
    const flow = saga<null, PoolClient>('sly', { version: 1 }).step('write', {
      local: true,
      retry: { maxAttempts: 1 },
      run: async ({ transaction }) => void (await (await transaction()).query('call sly()')),
    })
    const { sagas } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      cause: { message: expect.any(String) },
    })
  })
})

describe('a step before the pivot', () => {
  test('that used up its attempts is undone like the steps before it', async () => {
    const flow = saga<null, PoolClient>('exhausted', { version: 1 })
      .step('write', {
        local: true,
        run: async ({ runId, transaction }) =>
          void (await note(await transaction(), runId, 'written')),
        compensate: async ({ runId, transaction }) =>
          void (await note(await transaction(), runId, 'erased')),
      })
      .step('call', {
        retry,
        run() {
          throw new Error('503')
        },
        async compensate({ result, runId, transaction }) {
          // Nobody knows whether it happened.
          expect(result).toBeUndefined()
          await note(await transaction(), runId, 'called off')
        },
      })
    const { sagas, alerts } = runnerOf([flow])
    const id = randomUUID()
    await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
      step: 'call',
      cause: { message: '503' },
    })
    expect(await effectsOf(id)).toEqual(['written', 'called off', 'erased'])
    expect(alerts).toEqual([])
  })

  test('fails for good on an error that isPermanent accepts', async () => {
    let calls = 0
    const flow = saga<null, PoolClient>('declared', { version: 1 }).step('call', {
      isPermanent: (error) => error instanceof RangeError,
      run() {
        calls++
        throw new RangeError('out of stock')
      },
    })
    const { sagas } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      cause: { name: 'RangeError', message: 'out of stock' },
    })
    expect(calls).toBe(1)
  })
})

describe('the pivot', () => {
  const flowWith = (name: string, pivot: () => unknown, local = false) =>
    saga<null, PoolClient>(name, { version: 1 })
      .step('reserve', {
        local: true,
        run: async ({ runId, transaction }) =>
          void (await note(await transaction(), runId, 'reserved')),
        compensate: async ({ runId, transaction }) =>
          void (await note(await transaction(), runId, 'freed')),
      })
      .step('capture', { kind: 'pivot', local, retry, run: () => void pivot() })
      .step('tell', {
        kind: 'retriable',
        retry,
        run({ attempt }) {
          if (attempt < 3) throw new Error('mail is down')
        },
      })

  test('that throws PermanentError has the run undone', async () => {
    const flow = flowWith('pivot-refused', () => {
      throw new PermanentError('declined')
    })
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
    })
    expect(await effectsOf(id)).toEqual(['reserved', 'freed'])
  })

  test('once done leaves only the way forward: later steps are retried', async () => {
    const flow = flowWith('pivot-done', () => {})
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    await sagas.execute(flow, { id, input: null })
    expect(await effectsOf(id)).toEqual(['reserved'])
  })

  test('whose outcome is unknown leaves the run stuck until a person decides', async () => {
    let isDown = true
    const flow = flowWith('pivot-unknown', () => {
      if (isDown) throw new Error('timeout')
    })
    const { sagas, alerts } = runnerOf([flow])
    const id = randomUUID()
    await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-stuck',
      step: 'capture',
    })
    expect(await effectsOf(id)).toEqual(['reserved'])
    expect(alerts).toEqual([
      expect.objectContaining({ kind: 'stuck', runId: id, step: 'capture', reason: 'exhausted' }),
    ])
    expect(await sagas.runOnce()).toBe(0)
    expect((await sagas.list({ stuck: true })).map((run) => run.id)).toContain(id)
    await expect(sagas.compensate(id)).rejects.toMatchObject({ code: 'saga-past-pivot' })

    isDown = false
    expect(await sagas.resume(id)).toBe('running')
    await sagas.execute(flow, { id, input: null })
    expect((await sagas.get(id))?.state).toBe('completed')
  })

  test('that is local has had no effect when it fails, so the run is undone', async () => {
    const flow = flowWith(
      'pivot-local',
      () => {
        throw new Error('deadlock')
      },
      true,
    )
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
    })
    expect(await effectsOf(id)).toEqual(['reserved', 'freed'])
  })

  test('can be declared not to have happened by a person, who has the run undone', async () => {
    const flow = flowWith('pivot-undone', () => {
      throw new Error('timeout')
    })
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    await sagas.execute(flow, { id, input: null }).catch(() => {})
    const note = 'the bank knows nothing of it'
    expect(await sagas.compensate(id, { pastPivot: true, note })).toBe('compensating')
    await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
    })
    expect(await effectsOf(id)).toEqual(['reserved', 'freed'])
  })

  test.each([
    ['exhausted', () => new Error('down')],
    ['permanent', () => new PermanentError('no such address')],
  ])(
    'once done, leaves the run stuck at a later step that fails for good (%s)',
    async (reason, error) => {
      const flow = saga<null, PoolClient>(`after-pivot-${reason}`, { version: 1 })
        .step('capture', { kind: 'pivot', run: () => 1 })
        .step('tell', {
          kind: 'retriable',
          retry,
          run() {
            throw error()
          },
        })
      const { sagas, alerts } = runnerOf([flow])
      const id = randomUUID()
      await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
        code: 'saga-stuck',
      })
      expect(alerts).toEqual([expect.objectContaining({ kind: 'stuck', step: 'tell', reason })])
    },
  )
})

describe('a compensation', () => {
  const stubborn = (name: string, undo: () => unknown) =>
    saga<null, PoolClient>(name, { version: 1 })
      .step('first', { run: () => 1, compensate: ({ runId }) => void undone.push(runId) })
      .step('second', { run: () => 2, compensationRetry: retry, compensate: undo })
      .step('third', {
        run() {
          throw new PermanentError('no')
        },
      })
  const undone: string[] = []

  test('that fails is retried before the compensations of earlier steps run', async () => {
    let left = 2
    const flow = stubborn('stubborn', () => {
      if (left-- > 0) throw new Error('refund is down')
    })
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
      cause: { message: 'no' },
    })
    expect(undone).toContain(id)
  })

  test('that always fails raises an alert, appears in the list, and is not swallowed', async () => {
    let isDown = true
    const flow = stubborn('hopeless', () => {
      if (isDown) throw new Error('refund is down')
    })
    const told: unknown[] = []
    const listen = (message: unknown) => void told.push(message)
    subscribe('oncekey:saga-alert', listen)
    const { sagas, alerts } = runnerOf([flow])
    const id = randomUUID()
    const waiting = sagas.execute(flow, { id, input: null })
    await expect(waiting).rejects.toMatchObject({
      code: 'saga-compensation-failed',
      step: 'third',
      cause: { message: 'no' },
    })
    unsubscribe('oncekey:saga-alert', listen)
    const alert = {
      kind: 'compensation-failed',
      runId: id,
      step: 'second',
      reason: 'exhausted',
      error: expect.objectContaining({ message: 'refund is down' }),
    }
    expect(alerts).toEqual([expect.objectContaining(alert)])
    expect(told).toEqual(alerts)
    expect(undone).not.toContain(id)
    const listed = (await sagas.list({ stuck: true })).find((run) => run.id === id)
    expect(listed).toMatchObject({ state: 'compensation-failed', failedStep: 'third' })
    expect((await sagas.get(id))?.timeline.at(-1)).toMatchObject({
      what: 'compensation-failed',
      step: 'second',
      attempt: 3,
    })

    isDown = false
    expect(await sagas.resume(id)).toBe('compensating')
    await waitFor(() => sagas.runOnce(), { what: 'the run to be due' })
    expect((await sagas.get(id))?.state).toBe('compensated')
    expect(undone).toContain(id)
  })

  test('that cannot succeed can be settled by hand, with a note', async () => {
    const flow = stubborn('by-hand', () => {
      throw new PermanentError('the card is gone')
    })
    const { sagas, alerts } = runnerOf([flow])
    const id = randomUUID()
    await sagas.execute(flow, { id, input: null }).catch(() => {})
    expect(alerts).toEqual([expect.objectContaining({ reason: 'permanent' })])
    await expect(sagas.settle(id, ' ')).rejects.toMatchObject({ code: 'options-invalid' })
    expect(await sagas.settle(id, 'paid out in cash')).toBe('settled')
    expect(await sagas.get(id)).toMatchObject({ state: 'settled', note: 'paid out in cash' })
    await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-settled',
      message: expect.stringContaining('paid out in cash'),
    })
  })
})

describe('a result', () => {
  test.each([
    ['too large', () => 'x'.repeat(300_000), /300002 bytes .*over maxResultBytes/],
    ['a Date', () => ({ at: new Date() }), /at is a Date.*toISOString/],
    ['a Map', () => new Map(), /it is a Map/],
    ['a bigint', () => ({ cents: [10n] }), /cents\.0 is a bigint/],
    ['NaN', () => Number.NaN, /it is NaN/],
  ])('that is %s fails the step with an error that says so', async (name, result, message) => {
    const undone: unknown[] = []
    const flow = saga<null, PoolClient>(`result-${name.replaceAll(' ', '-')}`, { version: 1 }).step(
      'make',
      { run: () => result() as unknown, compensate: ({ result }) => void undone.push(result) },
    )
    const { sagas } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
      cause: { code: 'saga-result-invalid', message: expect.stringMatching(message) },
    })
    expect(undone).toEqual([undefined])
  })

  test('of a pivot that cannot be stored leaves the run stuck, because the pivot happened', async () => {
    const flow = saga<null, PoolClient>('result-of-pivot', { version: 1 }).step('capture', {
      kind: 'pivot',
      run: () => ({ at: new Date() }),
    })
    const { sagas, alerts } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      code: 'saga-stuck',
    })
    expect(alerts).toEqual([expect.objectContaining({ kind: 'stuck', reason: 'permanent' })])
  })

  test('is read back unchanged, with every character', async () => {
    const odd = { text: 'a\u0000b \ud800 \u2028 \\ \' "', list: [1.5, null, true], nothing: null }
    const flow = saga<typeof odd, PoolClient>('characters', { version: 1 })
      .step('make', { run: ({ input }) => input })
      .step('fail-once', {
        retry,
        run({ attempt, state }) {
          if (attempt === 1) throw new Error('a\u0000b \ud800')
          return state.make
        },
      })
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    expect(await sagas.execute(flow, { id, input: odd })).toEqual({ make: odd, 'fail-once': odd })
    expect(await sagas.get(id)).toMatchObject({
      input: odd,
      steps: [{ result: odd }, { result: odd }],
    })
  })

  test('of undefined is null, in the process that produced it and in every other', async () => {
    const seen: unknown[] = []
    const flow = saga<null, PoolClient>('nothing', { version: 1 })
      .step('make', { run: () => {} })
      .step('look', { run: ({ state }) => void seen.push(state.make) })
    const { sagas } = runnerOf([flow])
    const result = await sagas.execute(flow, { id: randomUUID(), input: null })
    expect(result).toEqual({ make: null, look: null })
    expect(seen).toEqual([null])
  })
})
