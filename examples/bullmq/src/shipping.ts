import { PGlite } from '@electric-sql/pglite'
import { once } from '@oncekey/core'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { type Job, Worker } from 'bullmq'

// Embedded Postgres, in memory. On a server, use a `pg` Pool instead.
export const db = new PGlite()
const client = fromPglite(db)
await migrate(client)
await db.query('create table shipments (id serial primary key, order_id text not null)')

const shipOnce = once({ store: postgresStore({ client }), namespace: 'shipping' })

interface Order {
  readonly orderId: string
}

/**
 * BullMQ runs a job again when it failed, when its worker stalled or died after the work, and when
 * somebody adds it again. The key is what the job is about, because an id of BullMQ's own differs
 * from one `add` to the next.
 */
async function ship({ data: { orderId }, attemptsMade }: Job<Order>) {
  const call = { scope: 'shop', key: orderId, input: { orderId } }
  const { value } = await shipOnce.run(call, async ({ transaction, emit }) => {
    const tx = await transaction()
    const sql = 'insert into shipments (order_id) values ($1) returning id'
    const { rows } = await tx.query<{ id: number }>(sql, [orderId])
    if (orderId === 'heavy' && attemptsMade === 0) throw new Error('the lift is broken') // undone
    emit({ type: 'order.shipped', subject: orderId, data: { shipment: rows[0]?.id } })
    return { shipment: rows[0]?.id }
  })
  return value // the same for every run of the job
}

export function startShipping(url: string): Worker<Order, { shipment: number | undefined }> {
  const connection = { url, maxRetriesPerRequest: null }
  const worker = new Worker<Order, { shipment: number | undefined }>('shipping', ship, {
    connection,
    concurrency: 5,
  })
  worker.on('error', console.error)
  return worker
}
