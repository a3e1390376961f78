import { createHash, randomUUID } from 'node:crypto'
import type { ClientBase } from 'pg'
import type { PlacedOrder } from './order.ts'

/** An outbox as written without Oncekey: a statement of its own in the same transaction. */
export async function appendByHand(
  client: Pick<ClientBase, 'query'>,
  order: PlacedOrder,
): Promise<void> {
  await client.query(
    `insert into oncekey.outbox
        (slot, id, type, source, subject, ordering_key, data, headers, occurred_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      (createHash('sha256').update(order.id).digest()[0] ?? 0) % 64,
      randomUUID(),
      'order.placed',
      '/orders',
      order.id,
      order.id,
      JSON.stringify(order),
      '{}',
      new Date(),
    ],
  )
}
