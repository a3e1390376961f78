import { PGlite } from '@electric-sql/pglite'
import { Router } from '@koa/router'
import { idempotency } from '@oncekey/koa'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import Koa from 'koa'
import bodyParser from 'koa-bodyparser'

// Embedded Postgres, in memory or in a folder. On a server, use a `pg` Pool instead.
const db = new PGlite(process.env.DATA_FOLDER)
const client = fromPglite(db)
await migrate(client)
await db.query('create table if not exists orders (id serial primary key, item text not null)')

export const once = idempotency({
  store: postgresStore({ client }),
  scope: (ctx) => ctx.get('x-account'), // the key's owner, from your authentication
})

const router = new Router()

router.post('/orders', async (ctx) => {
  const { item } = ctx.request.body as { item?: unknown }
  if (typeof item !== 'string') ctx.throw(422, 'item')

  const { transaction, emit } = once.of(ctx)
  const tx = await transaction() // a PGlite transaction; what it writes commits with the response
  const { rows } = await tx.query<{ id: number }>(
    'insert into orders (item) values ($1) returning *',
    [item],
  )
  emit({ type: 'order.placed', subject: String(rows[0]?.id), data: rows[0] })
  ctx.status = 201
  ctx.body = rows[0] // stored and committed before the first byte leaves
})

router.get('/books', async (ctx) => {
  const { rows } = await db.query(`select
    (select count(*)::int from orders) as orders,
    (select count(*)::int from oncekey.outbox) as events`)
  ctx.body = rows[0]
})

export const app = new Koa().use(bodyParser()).use(once).use(router.routes())
