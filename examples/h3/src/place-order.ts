import { PGlite } from '@electric-sql/pglite'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { idempotency } from '@oncekey/web'

// Embedded Postgres, in memory or in a folder. On a server, use a `pg` Pool instead.
export const db = new PGlite(process.env.DATA_FOLDER)
const client = fromPglite(db)
await migrate(client)
await db.query('create table if not exists orders (id serial primary key, item text not null)')

export const once = idempotency({
  store: postgresStore({ client }),
  scope: (request) => request.headers.get('x-account') ?? '', // from your authentication
})

export const placeOrder = once(async (request: Request) => {
  const { item } = (await request.json()) as { item?: unknown }
  if (typeof item !== 'string') return Response.json({ error: 'item' }, { status: 422 })

  const { transaction, emit } = once.of(request)
  const tx = await transaction() // what it writes commits with the response
  const sql = 'insert into orders (item) values ($1) returning *'
  const { rows } = await tx.query<{ id: number; item: string }>(sql, [item])
  emit({ type: 'order.placed', subject: String(rows[0]?.id), data: rows[0] })
  return Response.json(rows[0], { status: 201 }) // stored and committed before it leaves
})

export async function books(): Promise<unknown> {
  const { rows } = await db.query(`select
    (select count(*)::int from orders) as orders,
    (select count(*)::int from oncekey.outbox) as events`)
  return rows[0]
}
