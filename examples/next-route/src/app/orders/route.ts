import { postgresStore } from '@oncekey/postgres'
import { idempotency } from '@oncekey/web'
import { redirect } from 'next/navigation'
import type { NextRequest } from 'next/server'
import { client, db } from '../../database.ts'

const once = idempotency({
  store: postgresStore({ client }),
  // The key's owner, from your authentication.
  scope: (request: NextRequest) => request.headers.get('x-account') ?? '',
})

export const POST = once(async (request: NextRequest) => {
  const { item } = (await request.json()) as { item?: unknown }
  if (typeof item !== 'string') return Response.json({ error: 'item' }, { status: 422 })
  const tx = await once.of(request).transaction() // commits with the response
  const { rows } = await tx.query<{ id: number }>(
    'insert into orders (item) values ($1) returning *',
    [item],
  )
  // `redirect()` throws; the writes are kept all the same, and a retry is redirected to the same
  // place.
  if (request.nextUrl.searchParams.has('redirect')) redirect(`/orders/${rows[0]?.id}`)
  return Response.json(rows[0], { status: 201 })
})

export async function GET(): Promise<Response> {
  const { rows } = await db.query('select * from orders order by id')
  return Response.json(rows)
}
