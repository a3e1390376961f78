import { idempotency } from '@oncekey/web'
import { store } from './database.ts'

const once = idempotency({
  store,
  scope: (request) => request.headers.get('x-account') ?? '', // from your authorizer
})

/** Knows nothing of Lambda. */
export const placeOrder = once(async (request) => {
  const { item } = (await request.json()) as { item?: unknown }
  if (typeof item !== 'string') return Response.json({ error: 'item' }, { status: 422 })

  const { transaction, emit } = once.of(request)
  const tx = await transaction() // what it writes commits with the response
  const sql = 'insert into orders (item) values ($1) returning *'
  const { rows } = await tx.query<{ id: number; item: string }>(sql, [item])
  emit({ type: 'order.placed', subject: String(rows[0]?.id), data: rows[0] })
  return Response.json(rows[0], { status: 201 })
})
