import type { Transaction } from '@electric-sql/pglite'
import { type Consumer, consumer } from '@oncekey/outbox'

/** Ships an order once it is both paid and reserved; either event may come first. */
export function shipping(): Consumer<Transaction> {
  return consumer<Transaction>({
    name: 'shipping',
    types: ['payment.processed', 'stock.reserved'],
    ordered: true,
    async handle({ event, transaction, emit }) {
      const tx = await transaction()
      await tx.query('insert into ready values ($1, $2)', [event.subject, event.type])
      const { rows } = await tx.query('select from ready where order_id = $1', [event.subject])
      if (rows.length < 2) return
      await tx.query('insert into shipments values ($1)', [event.subject])
      emit({ type: 'shipment.scheduled', subject: String(event.subject) })
    },
  })
}
