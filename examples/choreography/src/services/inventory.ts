import type { Transaction } from '@electric-sql/pglite'
import { type Consumer, consumer } from '@oncekey/outbox'
import type { Order } from '../shop.ts'

/**
 * Reserves the ordered item, and puts it back if the payment failed. It takes each order's events
 * in order.
 */
export function inventory(): Consumer<Transaction> {
  return consumer<Transaction>({
    name: 'inventory',
    types: ['order.created', 'payment.failed'],
    ordered: true,
    async handle({ event, transaction, emit }) {
      const tx = await transaction()
      if (event.type === 'payment.failed') {
        const { rows } = await tx.query<{ item: string }>(
          'delete from reservations where order_id = $1 returning item',
          [event.subject],
        )
        await tx.query('update stock set left_over = left_over + 1 where item = $1', [
          rows[0]?.item,
        ])
        return
      }
      const { id, item } = event.data as Order
      await tx.query('update stock set left_over = left_over - 1 where item = $1', [item])
      await tx.query('insert into reservations values ($1, $2)', [id, item])
      emit({ type: 'stock.reserved', subject: id })
    },
  })
}
