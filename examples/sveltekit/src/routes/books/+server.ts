import type { RequestHandler } from '@sveltejs/kit'

export const GET: RequestHandler = async () => {
  const { db } = await import('../../database.ts')
  const { rows } = await db.query(`select
    (select count(*)::int from orders) as orders,
    (select count(*)::int from oncekey.outbox) as events`)
  return Response.json(rows[0])
}
