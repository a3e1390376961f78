import { once as emitted } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { OutboxEvent } from '@oncekey/core'
import { consumer, createRelay, PermanentError } from '@oncekey/outbox'
import {
  migrate,
  postgresConsumers,
  postgresEvents,
  postgresLog,
  postgresStore,
} from '@oncekey/postgres'
import { createSagaRunner, saga, sagaMigrations, sagaOperator } from '@oncekey/saga'
import { freshDatabase, waitFor } from '@oncekey/test-servers'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { inject } from 'vitest'
import { finish, leaveUnknown } from './claims.ts'

/** Ids of events that are known beforehand, so that tests can open their pages. */
export const EVENTS = [1, 2, 3].map((n) => `0190b5a0-0000-7000-8000-00000000000${n}`) as [
  string,
  string,
  string,
]

export const RECEIVER_SAYS = 'out of <b>order</b>'

const MAILED = ['order.placed', 'receipt.due']

interface Order {
  readonly item: string
}

/**
 * A shop in trouble, on its own database. It has two keys with an unknown outcome, mails that
 * cannot be sent, a receiver of webhooks that is down, and sagas that are stuck, undone and done.
 * `receipts` is how many more mails are dead because the mail server is down.
 */
export async function troubledShop({ receipts = 0 } = {}) {
  const closing: (() => Promise<unknown>)[] = []
  const database = await freshDatabase(inject('postgresUrl'))
  closing.push(() => database.drop())
  const pool = new Pool({ connectionString: database.url, max: 8 })
  // Dropping the database ends connections that have not been closed yet.
  pool.on('error', () => {})
  closing.push(() => pool.end())
  await migrate(pool, { also: [webhookMigrations, sagaMigrations] })
  const store = postgresStore({ client: pool, mode: 'lease' })
  const log = postgresLog({ client: pool })
  const state = {
    mailsFail: true,
    mailServerIsDown: true,
    receiverAnswers: 503,
    carrierIsDown: true,
    mails: 0,
  }

  await leaveUnknown(store, 'lost-1')
  await leaveUnknown(store, 'lost-2')
  for (let n = 1; n <= 60; n++) await finish(store, `order-${n}`, `{"id":${n}}`)

  const receiver = createServer((_, response) => {
    response.writeHead(state.receiverAnswers).end(RECEIVER_SAYS)
  })
  closing.push(() => closed(receiver))
  const hooks = webhooks({
    client: pool,
    allowHttp: true,
    allowAddresses: ['127.0.0.1'],
    schedule: [],
  })
  const { endpoint } = await hooks.endpoints.register({
    url: `${await listening(receiver)}/hooks?of=shop`,
    types: ['order.*'],
    description: 'the warehouse',
    headers: { authorization: 'Bearer of the warehouse' },
  })

  const order = saga<Order, unknown>('order', { version: 1 })
    .step('reserve', { run: async () => ({ shelf: 7 }), compensate: async () => {} })
    .step('charge', { run: async () => ({ charged: 42 }), compensate: async () => {} })
    .step('ship', {
      kind: 'pivot',
      retry: { maxAttempts: 1 },
      async run() {
        if (state.carrierIsDown) throw new Error('the carrier does not answer')
        return { parcel: 1 }
      },
    })
    .step('thank', { kind: 'retriable', run: async () => ({ thanked: true }) })
  const refused = saga<Order, unknown>('gift', { version: 1 })
    .step('wrap', { run: async () => ({ paper: 'blue' }), compensate: async () => {} })
    .step('address', {
      run: async () => {
        throw new PermanentError('There is no such street.')
      },
      compensate: async () => {},
    })
  const runner = createSagaRunner({ client: pool, sagas: [order as never, refused as never] })
  const run = (definition: unknown, id: string): Promise<unknown> =>
    runner
      .execute(definition as never, { id, input: { item: 'kettle' } as never })
      .catch((error: Error) => error)

  await log.append(
    ['a@shop.example', 'nobody@', 'b@shop.example'].map((to, n) => ({
      id: EVENTS[n] as string,
      type: 'order.placed',
      source: '/orders',
      subject: to,
      orderingKey: to,
      data: `{"to":"${to}","total":9007199254740993}`,
      headers: {},
      occurredAt: new Date(),
    })),
  )
  await log.append(receiptsDue(receipts))
  const relay = () =>
    createRelay({
      log,
      consumers: [
        consumer({
          name: 'mailer',
          types: MAILED,
          maxAttempts: 3,
          backoff: () => 0,
          handle({ event }) {
            if (state.mailServerIsDown && event.type === 'receipt.due') {
              throw new Error('connect ECONNREFUSED 10.0.0.25:25')
            }
            if (state.mailsFail && event.subject === 'nobody@') {
              throw new PermanentError('There is no such address.')
            }
            state.mails++
          },
        }) as never,
        hooks.consumer as never,
      ],
    })
  const deliver = async (): Promise<void> => {
    const each = relay()
    while ((await each.runOnce()) > 0);
    await each.stop()
    await hooks.createWorker().deliverOnce()
  }
  await log.subscribe({ consumer: 'mailer', types: MAILED, startAt: 'beginning' })
  await log.subscribe({ consumer: 'webhooks', types: null, startAt: 'beginning' })
  await deliver()
  await waitFor(async () => (await hooks.deliveries.list({ state: 'dead' })).length === 3, {
    what: 'dead deliveries',
  })
  for (const id of ['order-17', EVENTS[1]]) await run(order, id)
  await run(refused, 'gift-1')
  state.carrierIsDown = false
  await run(order, 'order-18')

  const letters = await log.deadLetters.list({ type: 'order.placed' }, { limit: 1 })

  return {
    url: database.url,
    pool,
    store,
    log,
    hooks,
    state,
    endpointId: endpoint.id,
    /** The mail that could not be sent. */
    letterId: letters.items[0]?.id ?? '',
    sagas: sagaOperator({ client: pool }),
    events: postgresEvents({ client: pool }),
    consumers: postgresConsumers({ client: pool }),
    deliver,
    /** Starts what a shop runs: a relay, a worker of webhooks and a runner of sagas. */
    open(): void {
      const working = [relay(), hooks.createWorker(), runner]
      for (const each of working) {
        each.start()
        closing.push(() => each.stop())
      }
    },
    /** Does what a running process would do with a run that was resumed. */
    async drive(id: string): Promise<void> {
      runner.start()
      await waitFor(
        async () =>
          !['running', 'compensating'].includes(
            (await sagaOperator({ client: pool }).get(id))?.state ?? '',
          ),
        { what: `the end of ${id}` },
      )
      await runner.stop()
    },
    async close(): Promise<void> {
      for (const close of closing.reverse()) await close()
    },
  }
}

/** Events that the mailer takes, each of an order of its own. */
export function receiptsDue(count: number): OutboxEvent[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `0190b5a0-0000-7000-8001-${String(n).padStart(12, '0')}`,
    type: 'receipt.due',
    source: '/orders',
    subject: `order-${n}`,
    orderingKey: `order-${n}`,
    data: `{"order":9007199254740993}`,
    headers: {},
    occurredAt: new Date(),
  }))
}

export async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
}
