import { backoff, type Consumer, consumer } from '@oncekey/outbox'
import type { SagaRunner } from '@oncekey/saga'
import type { Tx } from './database.ts'
import type { Order, orderSaga } from './order-saga.ts'
import type { Outside } from './outside-client.ts'

const quick = backoff({ baseMs: 20, capMs: 200 })

/** The consumers of events. None of them knows another. */
export function reactions(
  sagas: SagaRunner<Tx>,
  order: ReturnType<typeof orderSaga>,
  outside: Outside,
): Consumer<Tx>[] {
  return [
    // The request has placed the order. Its event begins the saga, and only once, because the id of
    // the run is that of the order.
    consumer<Tx, Order>({
      name: 'begin-order',
      types: ['order.placed'],
      backoff: quick,
      handle: ({ event }) =>
        sagas.submit(order, { id: `order ${event.data.id}`, input: event.data }),
    }),
    // This consumer's write and the row that marks the event as taken in are one commit, so an
    // event that is delivered twice counts once.
    consumer<Tx, Order>({
      name: 'inventory',
      types: ['order.confirmed'],
      backoff: quick,
      async handle({ event, transaction, emit }) {
        const tx = await transaction()
        const sql = 'update stock set left_over = left_over - 1 where item = $1'
        await tx.query(sql, [event.data.item])
        emit({ type: 'stock.taken', subject: event.data.item })
      },
    }),
    // Calls an outside service, with a key that is the same on every delivery of the event.
    consumer<Tx, Order>({
      name: 'e-mail',
      types: ['order.confirmed', 'order.cancelled'],
      maxAttempts: 3,
      backoff: quick,
      async handle({ event, deriveKey, signal }) {
        const mail = { to: event.data.customer, about: event.data.id, what: event.type }
        await outside.post('/mails', mail, deriveKey('mail'), signal)
      },
    }),
  ]
}
