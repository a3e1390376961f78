import { randomUUID } from 'node:crypto'
import { backoff, deadLetters } from '@oncekey/outbox'
import { createSagaRunner, PermanentError, SagaError, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type GatewayServer, gatewayServer } from './gateway-server.ts'
import { orderSaga } from './order-saga.ts'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
let gateway: GatewayServer
beforeAll(async () => {
  gateway = await gatewayServer()
})
afterAll(() => gateway.close())

const effectsOf = async (run: string) =>
  (await database.query<{ step: string }>('select step from effects where run = $1', [run])).map(
    ({ step }) => step,
  )
const eventsOf = (run: string) =>
  database.query('select type, data from oncekey.outbox where subject = $1', [run])
const stepsOf = (run: string) =>
  database.query<{ name: string; state: string }>(
    'select name, state from oncekey.saga_steps where run_id = $1 order by position',
    [run],
  )

describe('a run', () => {
  test('runs its steps in order and builds its result from theirs', async () => {
    const order = orderSaga(gateway)
    const sagas = createSagaRunner({ client: database.pool(), sagas: [order] })
    const id = randomUUID()
    const result = await sagas.execute(order, { id, input: { item: 'kettle' } })
    const [charge, ship] = gateway.callsOf(id)
    expect(result).toBe(`charge-${charge?.key}`)
    expect([charge?.action, ship?.action]).toEqual(['charge', 'ship'])
    expect(charge?.key).not.toBe(ship?.key)
    expect(await effectsOf(id)).toEqual(['create-order', 'charge', 'reserve-stock', 'confirm'])
    expect(await eventsOf(id)).toEqual([{ type: 'order.ready', data: { charge: result } }])
    expect(await sagas.get(id)).toMatchObject({ state: 'completed', owner: undefined })
  })

  // Regression: events of a saga had no trace context, so nobody could follow them back to the
  // request.
  test('puts the trace context of its cause on its events, even after another process took over', async () => {
    const traced = saga<null, PoolClient>('traced', { version: 1 })
      .step('first', { run: ({ emit, runId }) => emit({ type: 'traced', subject: runId }) })
      .step('second', { run: ({ emit, runId }) => emit({ type: 'traced', subject: runId }) })
    const here = createSagaRunner({ client: database.pool(), sagas: [traced] })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const ids = [randomUUID(), randomUUID(), randomUUID()] as const
    const [given, submitted, none] = ids
    await here.execute(traced, { id: given, input: null, traceparent })
    await here.submit(traced, { id: submitted, input: null, traceparent })
    await here.execute(traced, { id: none, input: null })
    // If `context` is that of a request or an event, it provides its traceparent.
    const context = { deriveKey: () => randomUUID(), traceparent }
    const { id: ofContext } = await here.submit(traced, { context, input: null })
    const elsewhere = createSagaRunner({ client: database.pool(), sagas: [traced] })
    for (const id of [submitted, ofContext]) {
      await waitFor(
        async () => {
          await elsewhere.runOnce()
          return (await elsewhere.get(id))?.state === 'completed'
        },
        { what: 'the other process to go on' },
      )
    }
    const tracesOf = (run: string) =>
      database.query(
        `select headers->>'traceparent' as traceparent from oncekey.outbox where subject = $1`,
        [run],
      )
    for (const id of [given, submitted, ofContext]) {
      expect(await tracesOf(id)).toEqual([{ traceparent }, { traceparent }])
    }
    expect(await tracesOf(none)).toEqual([{ traceparent: null }, { traceparent: null }])
  })

  test('returns the same result when executed again, without running any step', async () => {
    const order = orderSaga(gateway)
    const sagas = createSagaRunner({ client: database.pool(), sagas: [order] })
    const id = randomUUID()
    const first = await sagas.execute(order, { id, input: { item: 'kettle' } })
    const calls = gateway.callsOf(id).length
    expect(await sagas.execute(order, { id, input: { item: 'kettle' } })).toBe(first)
    expect(gateway.callsOf(id)).toHaveLength(calls)
    expect(await effectsOf(id)).toHaveLength(4)
  })

  test('is not affected by a request with the same id and another input or saga, which is refused', async () => {
    const order = orderSaga(gateway)
    const other = saga<{ item: string }, PoolClient>('other', { version: 1 }).step('only', {
      run: () => 1,
    })
    const sagas = createSagaRunner({ client: database.pool(), sagas: [order, other] })
    const id = randomUUID()
    await sagas.execute(order, { id, input: { item: 'kettle' } })
    for (const again of [
      () => sagas.execute(order, { id, input: { item: 'toaster' } }),
      () => sagas.submit(order, { id, input: { item: 'toaster' } }),
      () => sagas.execute(other, { id, input: { item: 'kettle' } }),
    ]) {
      await expect(again()).rejects.toMatchObject({ code: 'saga-input-mismatch', runId: id })
    }
    expect(await sagas.get(id)).toMatchObject({ state: 'completed' })
  })

  test('is one run for fifty concurrent calls with one id in two processes', async () => {
    const order = orderSaga(gateway)
    const runners = [0, 1].map(() => createSagaRunner({ client: database.pool(), sagas: [order] }))
    const id = randomUUID()
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        runners[n % 2]!.execute(order, { id, input: { item: 'kettle' } }),
      ),
    )
    expect(new Set(results).size).toBe(1)
    expect(gateway.callsOf(id)).toHaveLength(2)
    expect(await effectsOf(id)).toHaveLength(4)
  })
})

describe('a step that fails for good', () => {
  test.each([
    ['create-order', [], []],
    ['charge', ['refund'], ['create-order', 'cancel-order']],
    ['reserve-stock', ['charge', 'refund'], ['create-order', 'charge', 'cancel-order']],
    [
      'ship',
      ['charge', 'recall', 'refund'],
      ['create-order', 'charge', 'reserve-stock', 'restore-stock', 'cancel-order'],
    ],
    [
      'confirm',
      ['charge', 'ship', 'recall', 'refund'],
      ['create-order', 'charge', 'reserve-stock', 'restore-stock', 'cancel-order'],
    ],
  ])('%s has the steps before it undone in reverse order', async (failAt, calls, effects) => {
    const order = orderSaga(gateway)
    const sagas = createSagaRunner({ client: database.pool(), sagas: [order] })
    const id = randomUUID()
    const input = { item: 'kettle', failAt }
    const failure = await sagas.execute(order, { id, input }).catch((error) => error)
    expect(failure).toBeInstanceOf(SagaError)
    expect(failure).toMatchObject({ code: 'saga-compensated', step: failAt, runId: id })
    expect(failure.cause).toBeInstanceOf(PermanentError)
    expect(failure.cause).toMatchObject({
      message: `${failAt} refused`,
      details: { step: failAt },
    })
    expect(gateway.callsOf(id).map(({ action }) => action)).toEqual(calls)
    expect(await effectsOf(id)).toEqual(effects)
    expect(await eventsOf(id)).toEqual([])
    // Later callers get the same error.
    await expect(sagas.execute(order, { id, input })).rejects.toMatchObject({
      code: 'saga-compensated',
      cause: { name: 'PermanentError', details: { step: failAt } },
    })
  })

  test('is compensated under a different idempotency key', async () => {
    const order = orderSaga(gateway)
    const sagas = createSagaRunner({ client: database.pool(), sagas: [order] })
    const id = randomUUID()
    const input = { item: 'kettle', failAt: 'confirm' }
    await sagas.execute(order, { id, input }).catch(() => {})
    const keys = gateway.callsOf(id).map(({ key }) => key)
    expect(new Set(keys).size).toBe(4)
  })
})

test('leaves the steps readable', async () => {
  const flaky = saga<null, PoolClient>('flaky', { version: 1 })
    .step('first', { local: true, run: () => ({ n: 1 }) })
    .step('second', {
      retry: { backoff: backoff({ baseMs: 1 }) },
      run({ attempt, state }) {
        if (attempt < 3) throw new Error(`not yet, ${attempt}`)
        return state.first.n + attempt
      },
    })
  const sagas = createSagaRunner({ client: database.pool(), sagas: [flaky] })
  const id = randomUUID()
  expect(await sagas.execute(flaky, { id, input: null })).toEqual({ first: { n: 1 }, second: 4 })
  expect(await stepsOf(id)).toEqual([
    { name: 'first', state: 'done' },
    { name: 'second', state: 'done' },
  ])
  const run = await sagas.get(id)
  expect(run?.timeline.map(({ text }) => text.replace(/after \d+ ms/, 'after n ms'))).toEqual([
    'saga "flaky" version 1 started',
    expect.stringContaining('first'),
    expect.stringContaining('second begun'),
    'second failed, attempt 1, after n ms: not yet, 1',
    'second failed, attempt 2, after n ms: not yet, 2',
    'second done',
    'ended: completed',
  ])
})

test('refuses invalid requests before any query, and says what to write', async () => {
  const flow = saga<null, PoolClient>('asked', { version: 1 }).step('only', { run: () => 1 })
  const sagas = createSagaRunner({ client: database.pool(), sagas: [flow] })
  const id = randomUUID()
  for (const waitMs of [Number.NaN, -1, '100' as never]) {
    await expect(sagas.execute(flow, { id, input: null, waitMs })).rejects.toMatchObject({
      code: 'options-invalid',
    })
  }
  expect(await sagas.get(id)).toBeUndefined()
  for (const how of [{ retentionMs: Number.NaN }, { retentionMs: -1 }, { limit: 0 }]) {
    await expect(sagas.purge(how)).rejects.toMatchObject({ code: 'options-invalid' })
  }
  await expect(sagas.settle(id, 'by hand\0')).rejects.toMatchObject({ code: 'options-invalid' })
  const dead = deadLetters(sagas.deadLetters)
  await expect(dead.discard([id], 'by hand\0')).rejects.toMatchObject({ code: 'options-invalid' })
  for (const none of ['a\0', 'ä', '', 'x'.repeat(256)]) {
    expect(await sagas.get(none)).toBeUndefined()
    for (const act of [sagas.resume(none), sagas.compensate(none), sagas.settle(none, 'note')]) {
      await expect(act).rejects.toMatchObject({ code: 'saga-unknown' })
    }
  }
})
