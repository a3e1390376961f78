import { PGlite } from '@electric-sql/pglite'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { idempotency } from '@oncekey/web/hono'
import { type Context, Hono } from 'hono'
import { bearerAuth } from 'hono/bearer-auth'
import { validator } from 'hono/validator'

// Embedded Postgres, in memory or in a folder. On a server, use a `pg` Pool instead.
const db = new PGlite(process.env.DATA_FOLDER)
const client = fromPglite(db)
await migrate(client)
await db.query('create table if not exists orders (id serial primary key, item text, buyer text)')

export const once = idempotency({
  store: postgresStore({ client }),
  scope: (c) => c.get('account'), // the key's owner, set by the middleware before
})

const signIn = bearerAuth({
  verifyToken(token, c: Context) {
    c.set('account', token) // use your own authentication here
    return token !== ''
  },
})

const order = validator('json', ({ item }, c) =>
  typeof item === 'string' ? { item } : c.json({ error: 'item' }, 422),
)

export const app = new Hono<{ Variables: { account: string } }>()

app.post('/orders', signIn, once, order, async (c) => {
  const { transaction, emit } = c.var.idempotency
  const tx = await transaction() // a PGlite transaction; what it writes commits with the response
  const { rows } = await tx.query<{ id: number }>(
    'insert into orders (item, buyer) values ($1, $2) returning *',
    [c.req.valid('json').item, c.var.account],
  )
  emit({ type: 'order.placed', subject: String(rows[0]?.id), data: rows[0] })
  return c.json(rows[0], 201) // stored and committed before the first byte leaves
})

app.get('/books', async (c) => {
  const { rows } = await db.query(`select
    (select count(*)::int from orders) as orders,
    (select count(*)::int from oncekey.outbox) as events`)
  return c.json(rows[0])
})
