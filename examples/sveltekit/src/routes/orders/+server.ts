import type { RequestHandler } from '@sveltejs/kit'

export const POST: RequestHandler = async ({ request, locals }) => {
  const { item } = (await request.json()) as { item?: unknown }
  if (typeof item !== 'string') return Response.json({ error: 'item' }, { status: 422 })

  const { transaction, emit } = locals.idempotency
  const tx = await transaction() // what it writes commits with the response
  const sql = 'insert into orders (item) values ($1) returning *'
  const { rows } = await tx.query<{ id: number; item: string }>(sql, [item])
  emit({ type: 'order.placed', subject: String(rows[0]?.id), data: { ...rows[0] } })
  return Response.json(rows[0], { status: 201 }) // stored and committed before it leaves
}
