import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import {
  AT_ONCE,
  commitUnseen,
  database,
  effectsOf,
  note,
  retry,
  runnerOf,
} from './failing-steps.ts'

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

  // A bug: such an attempt was repeated like any other that failed, and each wrote once more. If
  // the step failed as well, nobody noticed. The run was then undone as if nothing had been
  // written.
  test.each([
    ['and returned', 'compensatable', 'saga-compensated'],
    ['and threw', 'compensatable', 'saga-compensated'],
    ['and threw', 'pivot', 'saga-stuck'],
  ] as const)(
    'that committed its transaction itself %s is not repeated, and its error explains why (%s)',
    async (how, kind, code) => {
      const name = `sly-${how.replaceAll(' ', '-')}-${kind}`
      const undone: string[] = []
      const flow = saga<null, PoolClient>(name, { version: 1 }).step('write', {
        kind,
        local: true,
        retry: { maxAttempts: 3, backoff: () => 0 },
        async run({ transaction, runId }) {
          const tx = await transaction()
          await tx.query('insert into effects values ($1, $2)', [runId, 'write'])
          await commitUnseen(tx)
          if (how === 'and threw') throw new Error('a bug')
        },
        ...(kind === 'compensatable' && { compensate: ({ runId }) => void undone.push(runId) }),
      })
      const { sagas } = runnerOf([flow])
      const id = randomUUID()
      await expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({ code })
      expect((await sagas.get(id))?.timeline).toContainEqual(
        expect.objectContaining({ error: expect.objectContaining({ code: 'transaction-ended' }) }),
      )
      expect(await database.query('select from effects where run = $1', [id])).toHaveLength(1)
      expect(undone).toEqual(kind === 'compensatable' ? [id] : [])
    },
  )

  // A bug: the session was asked whether the step had ended its transaction, and its reply waited
  // behind the step's last statement. No reply in a second counted as a transaction that was still
  // open, so the attempt was repeated, and each wrote once more.
  test('that committed its transaction itself is noticed while its session is busy', async () => {
    const blocker = await database.pool({ max: 1 }).connect()
    await blocker.query('select pg_advisory_lock(4711)')
    const undone: string[] = []
    const flow = saga<null, PoolClient>('sly-and-busy', { version: 1 }).step('write', {
      local: true,
      retry: { maxAttempts: 3, backoff: () => 0 },
      async run({ transaction, runId }) {
        const tx = await transaction()
        await tx.query('insert into effects values ($1, $2)', [runId, 'write'])
        await commitUnseen(tx)
        tx.query('select pg_advisory_xact_lock(4711)').catch(() => {})
        throw new Error('a bug')
      },
      compensate: ({ runId }) => void undone.push(runId),
    })
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    const executing = sagas.execute(flow, { id, input: null })
    executing.catch(() => {})
    await waitFor(async () => (await sagas.get(id))?.timeline.some(({ error }) => error), {
      what: 'the failure to be on record',
    }).finally(() => blocker.release(true))
    await expect(executing).rejects.toMatchObject({ code: 'saga-compensated' })
    expect(await effectsOf(id)).toEqual(['write'])
    expect(undone).toEqual([id])
  })
})
