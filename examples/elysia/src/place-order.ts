import { idempotency } from '@oncekey/web'
import { db, store } from './database.ts'

export const once = idempotency({
  store,
  scope: (request) => request.headers.get('x-account') ?? '', // from your authentication
})

export const placeOrder = once(async (request: Request) => {
  const { item } = (await request.json()) as { item?: unknown }
  if (typeof item !== 'string') return Response.json({ error: 'item' }, { status: 422 })

  const { transaction, emit } = once.of(request)
  const tx = await transaction() // what it writes commits with the response
  const sql = 'insert into orders (item) values ($1) returning *'
  const { rows } = await tx.query<{ id: number; item: string }>(sql, [item])
  emit({ type: 'order.placed', subject: String(rows[0]?.id), data: { ...rows[0] } })
  return Response.json(rows[0], { status: 201 }) // stored and committed before it leaves
})

export async function books(): Promise<unknown> {
  const { rows } = await db.query(`select
    (select count(*)::int from orders) as orders,
    (select count(*)::int from oncekey.outbox) as events`)
  return rows[0]
}
