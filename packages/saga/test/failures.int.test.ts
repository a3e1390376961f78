import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { PermanentError, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { database, effectsOf, note, retry, runnerOf } from './failing-steps.ts'

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
          // Its outcome is unknown, so the compensation gets no result.
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

// A bug: all of them were read at once, some 40,000 a month of a step that is attempted for ever.
test('of many failed attempts a run has the newest thousand', async () => {
  const flow = saga<null, PoolClient>('failed-often', { version: 1 }).step('call', { run() {} })
  const { sagas } = runnerOf([flow])
  const id = randomUUID()
  await sagas.execute(flow, { id, input: null })
  await database.query(
    `insert into oncekey.saga_failures (run_id, step, direction, attempt, error, duration_ms)
       select $1, 'call', 'run', n, '{"name":"Error","message":"down"}', 1
         from generate_series(1, 1200) n`,
    [id],
  )
  const failed = (await sagas.get(id))?.timeline.filter(({ what }) => what === 'step-failed')
  expect(failed).toHaveLength(1_000)
  expect(failed?.at(0)?.attempt).toBe(201)
  expect(failed?.at(-1)?.attempt).toBe(1_200)
})
