import type { Transaction } from '@electric-sql/pglite'
import { createSagaRunner, PermanentError, type Stored, saga } from '@oncekey/saga'
import type { Pool, PoolClient } from 'pg'
import { expectTypeOf, test } from 'vitest'

interface Order {
  readonly cents: number
}

const order = saga<Order, PoolClient>('order', { version: 1 })
  .step('create', {
    local: true,
    async run({ input, state, transaction }) {
      expectTypeOf(input).toEqualTypeOf<Order>()
      expectTypeOf<keyof typeof state>().toBeNever()
      expectTypeOf(transaction).returns.resolves.toEqualTypeOf<PoolClient>()
      return { id: 'order-1' }
    },
    compensate({ result }) {
      expectTypeOf(result).toEqualTypeOf<{ id: string } | undefined>()
    },
  })
  .step('charge', {
    run({ state }) {
      expectTypeOf(state.create.id).toBeString()
      return state.create.id.length
    },
    compensate: ({ result, state }) => {
      expectTypeOf(result).toEqualTypeOf<number | undefined>()
      expectTypeOf(state).toEqualTypeOf<{ readonly create: { id: string } }>()
    },
  })
  .step('notify', { kind: 'retriable', run: async () => {} })

test('later steps see the results of earlier ones by name', () => {
  order.step('look', {
    run({ state }) {
      expectTypeOf(state.charge).toBeNumber()
      expectTypeOf(state.notify).toEqualTypeOf<null>()
      // @ts-expect-error there is no such step
      state.refund
    },
  })
})

test('the result is the state, or what `result` makes of it', async () => {
  const sagas = createSagaRunner({ client: {} as Pool, sagas: [order] })
  const input = { cents: 1 }
  expectTypeOf(await sagas.execute(order, { id: 'x', input })).toEqualTypeOf<{
    readonly create: { id: string }
    readonly charge: number
    readonly notify: null
  }>()
  const short = order.result(({ input, state }) => `${state.create.id} ${input.cents}`)
  expectTypeOf(await sagas.execute(short, { id: 'x', input })).toBeString()
  expectTypeOf(await sagas.submit(order, { id: 'x', input })).toEqualTypeOf<{
    readonly id: string
    readonly isNew: boolean
  }>()
})

test('a run needs an id and the input of its saga', () => {
  const sagas = createSagaRunner({ client: {} as Pool, sagas: [order] })
  // @ts-expect-error cents is a number
  sagas.execute(order, { id: 'x', input: { cents: '1' } })
  // @ts-expect-error neither id nor context
  sagas.execute(order, { input: { cents: 1 } })
  sagas.execute(order, { context: { deriveKey: (label) => label }, input: { cents: 1 } })
})

test('a saga fits only runners with its transaction type', () => {
  const onPglite = saga<null, Transaction>('pglite', { version: 1 }).step('only', {
    run: async ({ transaction }) => (await (await transaction()).query('select 1')).rows.length,
  })
  // @ts-expect-error its steps need a transaction of PGlite
  createSagaRunner<PoolClient>({ client: {} as Pool, sagas: [onPglite] })
})

test('an undefined result is stored as null', () => {
  expectTypeOf<Stored<void>>().toEqualTypeOf<null>()
  expectTypeOf<Stored<undefined>>().toEqualTypeOf<null>()
  expectTypeOf<Stored<string | undefined>>().toEqualTypeOf<string | null>()
  expectTypeOf<Stored<number>>().toEqualTypeOf<number>()
  expectTypeOf(new PermanentError('no', { details: 1 }).details).toBeUnknown()
})
