import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { PGlite } from '@electric-sql/pglite'
import { idempotency } from '@oncekey/node'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'

// Embedded Postgres, in memory or in a folder. On a server, use a `pg` Pool instead.
const db = new PGlite(process.env.DATA_FOLDER)
const client = fromPglite(db)
await migrate(client)
await db.query('create table if not exists orders (id serial primary key, item text not null)')

export const once = idempotency({
  store: postgresStore({ client }),
  // The key's owner, from your authentication.
  scope: (req) => String(req.headers['x-account'] ?? ''),
})

/** A request listener for `node:http`, `node:https`, or the compatibility API of `node:http2`. */
export function app(req: IncomingMessage, res: ServerResponse): void {
  if (req.url === '/orders') once(req, res, (error) => order(error, req, res)).catch(console.error)
  else if (req.url === '/books') books().then((answer) => send(res, 200, answer), console.error)
  else send(res, 404, { error: 'nothing here' })
}

async function order(error: unknown, req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (error) return send(res, 500, { error: String(error) })
  if (req.method !== 'POST') return send(res, 405, { error: 'POST an order' })
  // The middleware has read the body and put it back.
  const { item } = (await json(req)) as { item?: unknown }
  if (typeof item !== 'string') return send(res, 422, { error: 'item' })

  const { transaction, emit } = once.of(req)
  const tx = await transaction() // a PGlite transaction; what it writes commits with the response
  const { rows } = await tx.query<{ id: number }>(
    'insert into orders (item) values ($1) returning *',
    [item],
  )
  emit({ type: 'order.placed', subject: String(rows[0]?.id), data: rows[0] })
  send(res, 201, rows[0]) // stored and committed before the first byte leaves
}

async function books(): Promise<unknown> {
  const { rows } = await db.query(`select
    (select count(*)::int from orders) as orders,
    (select count(*)::int from oncekey.outbox) as events`)
  return rows[0]
}

function send(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
