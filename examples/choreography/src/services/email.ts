import type { Transaction } from '@electric-sql/pglite'
import { type Consumer, consumer, PermanentError } from '@oncekey/outbox'

/**
 * Sends the customer an e-mail. An invalid address will still be invalid tomorrow, so retrying is
 * useless.
 */
export function email(): Consumer<Transaction> {
  return consumer<Transaction>({
    name: 'email',
    types: ['shipment.scheduled'],
    async handle({ event, transaction }) {
      const tx = await transaction()
      const { rows } = await tx.query<{ email: string }>(
        'select email from customers where order_id = $1',
        [event.subject],
      )
      const address = rows[0]?.email ?? ''
      if (!address.includes('@')) throw new PermanentError(`"${address}" is not an address`)
      await tx.query('insert into emails values ($1, $2)', [event.subject, address])
    },
  })
}
