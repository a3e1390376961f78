import type { Transaction } from '@electric-sql/pglite'
import { type Consumer, consumer } from '@oncekey/outbox'
import type { Order } from '../shop.ts'

/**
 * Charges an order and emits `payment.processed` or `payment.failed`. A failed payment is not an
 * error of the consumer, so it is not retried.
 */
export function payment(gateway: {
  charge(key: string, order: Order): Promise<'charged' | 'declined'>
}): Consumer<Transaction> {
  return consumer<Transaction, Order>({
    name: 'payment',
    types: ['order.created'],
    async handle({ event, transaction, emit, deriveKey }) {
      const order = event.data
      // The gateway recognizes a retry by its key: however often this runs, the card is charged
      // once. The charge comes before `transaction()`, because a transaction should not stay open
      // during a call to another service.
      const outcome = await gateway.charge(deriveKey('charge'), order)
      const tx = await transaction()
      if (outcome === 'declined') {
        emit({ type: 'payment.failed', subject: order.id, data: { reason: 'card declined' } })
        return
      }
      await tx.query('insert into payments values ($1, $2)', [order.id, order.total])
      emit({ type: 'payment.processed', subject: order.id })
    },
  })
}
