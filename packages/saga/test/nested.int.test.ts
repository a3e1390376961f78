import { randomUUID } from 'node:crypto'
import { backoff } from '@oncekey/outbox'
import { createSagaRunner, PermanentError, SagaError, type SagaRunner, saga } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

const quick = { maxAttempts: 20, backoff: backoff({ baseMs: 20, capMs: 20, jitter: 'none' }) }

interface Fails {
  /** The parent's step, after its child has ended. */
  after?: number
  /** The child, for good. */
  child?: boolean
  /** The parent's next step, for good. */
  parent?: boolean
}

/** An order whose payment is a saga of its own, as on the page about sagas. */
function nested(fails: Fails = {}) {
  const effects: string[] = []
  const payment = saga<object, PoolClient>('payment', { version: 1 })
    .step('reserve', {
      run: () => void effects.push('reserve'),
      compensate: () => void effects.push('unreserve'),
    })
    .step('capture', {
      run() {
        if (fails.child === true) throw new PermanentError('declined')
        effects.push('capture')
      },
      compensate() {},
    })
  const refund = saga<object, PoolClient>('refund', { version: 1 }).step('refund', {
    run: () => void effects.push('refund'),
  })
  const order = saga<object, PoolClient>('order', { version: 1 })
    .step('pay', {
      retry: quick,
      isPermanent: (error) => error instanceof SagaError && error.code === 'saga-compensated',
      async run({ input, runId, signal }) {
        await sagas.execute(payment, { id: `${runId}-pay`, input, signal })
        fails.after = (fails.after ?? 0) - 1
        if (fails.after >= 0) throw new Error('after the child')
      },
      compensationRetry: quick,
      async compensate({ input, runId, signal }) {
        const child = await sagas.get(`${runId}-pay`)
        if (child?.state === 'completed') {
          await sagas.execute(refund, { id: `${runId}-refund`, input, signal })
        } else if (child !== undefined && child.endedAt === undefined) {
          await sagas.compensate(child.id)
          throw new Error('The payment is being undone.')
        }
      },
    })
    .step('pack', {
      run() {
        if (fails.parent === true) throw new PermanentError('sold out')
      },
      compensate() {},
    })
  const sagas: SagaRunner<PoolClient> = createSagaRunner({
    client: database.pool(),
    sagas: [payment, refund, order],
    executeConcurrency: 1,
    pollMs: 20,
  })
  sagas.start()
  return { effects, sagas, payment, order, id: randomUUID() }
}

test('a step that executes another saga finds its run again, and the child takes effect once', async () => {
  const { effects, sagas, order, id } = nested({ after: 2 })
  // The parent has the only place of `execute`, so the loop drives the child.
  await sagas.execute(order, { id, input: {} })
  expect(effects).toEqual(['reserve', 'capture'])
  expect(await sagas.get(`${id}-pay`)).toMatchObject({ state: 'completed' })
  await sagas.stop()
})

test('a child that is undone undoes its parent', async () => {
  const { effects, sagas, order, id } = nested({ child: true })
  const ended = sagas.execute(order, { id, input: {} })
  await expect(ended).rejects.toMatchObject({ code: 'saga-compensated' })
  expect(effects).toEqual(['reserve', 'unreserve'])
  await sagas.stop()
})

test('a child that is completed is undone by a saga of its own: compensate() does nothing to it', async () => {
  const { effects, sagas, order, id } = nested({ parent: true })
  const ended = sagas.execute(order, { id, input: {} })
  await expect(ended).rejects.toMatchObject({ code: 'saga-compensated' })
  expect(effects).toEqual(['reserve', 'capture', 'refund'])
  expect(await sagas.compensate(`${id}-pay`)).toBe('completed')
  expect(effects).toHaveLength(3)
  await sagas.stop()
})
