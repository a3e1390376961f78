import { type EventLog, memoryLog, memoryStore } from '@oncekey/core'
import { consumer, createEventBus, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import type { Pool, PoolClient } from 'pg'
import { expectTypeOf, test } from 'vitest'

declare const pool: Pool

test('a consumer gets the transaction type of its log and the data type it declares', () => {
  const ofPg = consumer<PoolClient, { total: number }>({
    name: 'a',
    async handle({ event, transaction }) {
      expectTypeOf(event.data).toEqualTypeOf<{ total: number }>()
      expectTypeOf(await transaction()).toEqualTypeOf<PoolClient>()
    },
  })
  const plain = consumer({ name: 'b', handle: ({ event }) => event.subject })
  const log = postgresLog({ client: pool })
  expectTypeOf(log).toExtend<EventLog<PoolClient>>()
  createRelay({ log, consumers: [ofPg, plain] })

  // @ts-expect-error this log has another type of transaction
  createRelay({ log: memoryLog(memoryStore()), consumers: [ofPg] })
})

test('begin() gives a batch its transaction together with the fresh events', () => {
  consumer<PoolClient>({
    name: 'a',
    async handleBatch({ begin }) {
      const { transaction, fresh } = await begin()
      expectTypeOf(transaction).toEqualTypeOf<PoolClient>()
      expectTypeOf(fresh[0]?.id).toEqualTypeOf<string | undefined>()
    },
  })
  // @ts-expect-error one of the two consumers has another type of transaction
  consumer({ name: 'a' })
})

test('subscribers of a bus get the transaction type of its log', () => {
  const bus = createEventBus({ log: postgresLog({ client: pool }) })
  bus.subscribe('order.created', 'a', async ({ transaction }) => {
    expectTypeOf(await transaction()).toEqualTypeOf<PoolClient>()
  })
})
