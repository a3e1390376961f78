import { PGlite } from '@electric-sql/pglite'
import { type MemoryTransaction, memoryLog, memoryStore } from '@oncekey/core'
import { consumer, createRelay, deadLetters, type Relay } from '@oncekey/outbox'
import { inbox, migrate } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import request from 'supertest'
import { expect, test } from 'vitest'
import { createApp } from '../src/express-app.ts'

/** A store with the event of one order. */
async function storeWithAnOrder() {
  const store = memoryStore()
  await request(createApp(store))
    .post('/orders')
    .set('X-Account', 'ana')
    .set('Idempotency-Key', 'k')
    .send({ item: 'harp' })
    .expect(201)
  return store
}

/** Runs a relay until nothing is due, without its loops. */
async function deliverAll(relay: Relay) {
  try {
    let handled: number
    do handled = await relay.runOnce()
    while (handled > 0)
  } finally {
    await relay.stop()
  }
}

test('an event that is delivered twice takes effect once', async () => {
  const store = await storeWithAnOrder()
  const log = memoryLog(store)
  await log.append(store.events) // the same event once more, under the same id
  let deliveries = 0
  const shipping = consumer<MemoryTransaction>({
    name: 'shipping',
    types: ['order.placed'],
    async handle({ transaction }) {
      deliveries += 1
      const tx = await transaction()
      tx.set('shipments', Number(tx.get('shipments') ?? 0) + 1)
    },
  })

  await deliverAll(createRelay({ log, consumers: [shipping] }))
  expect(deliveries).toBe(2)
  expect(store.data.get('shipments')).toBe(1)
})

test('an event that fails each time is a dead letter after its last attempt', async () => {
  const store = await storeWithAnOrder()
  const log = memoryLog(store)
  let attempts = 0
  const email = consumer({
    name: 'email',
    types: ['order.placed'],
    maxAttempts: 3,
    backoff: () => 0, // no wait: the next round tries it again
    handle() {
      attempts += 1
      throw new Error('mailbox full')
    },
  })

  await deliverAll(createRelay({ log, consumers: [email] }))
  expect(attempts).toBe(3)
  const { items } = await deadLetters(log.deadLetters).list({ origin: 'email' })
  expect(items.map(({ reason, error }) => [reason, error?.message])).toEqual([
    ['exhausted', 'mailbox full'],
  ])
})

test('a message of another queue takes effect once', { timeout: 60_000 }, async () => {
  const db = new PGlite()
  const client = fromPglite(db)
  await migrate(client)
  await db.query('create table invoices (of text)')
  const billing = inbox({ client, consumer: 'billing' })
  const receive = (id: string) =>
    billing.take(id, ({ transaction }) =>
      transaction.query('insert into invoices values ($1)', [id]),
    )

  expect((await receive('orders/0/17')).kind).toBe('done')
  expect((await receive('orders/0/17')).kind).toBe('duplicate')
  const { rows } = await db.query('select of from invoices')
  expect(rows).toEqual([{ of: 'orders/0/17' }])
  await db.close()
})
