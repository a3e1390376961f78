import { PGlite } from '@electric-sql/pglite'
import { idempotency } from '@oncekey/express'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import express from 'express'
import { signIn } from './sign-in.ts'

// An orders API. Usage: tsx src/server.ts DATA_FOLDER PORT

const [dataFolder, port = '0'] = process.argv.slice(2)
const db = new PGlite(dataFolder)
const client = fromPglite(db)
await migrate(client)
await db.exec(`
  create table if not exists orders (
    id text primary key default 'ord_' || left(gen_random_uuid()::text, 8),
    customer text not null, item text not null, card text not null
  )`)

const once = idempotency({ store: postgresStore({ client }), scope: (req) => req.customer })

const app = express()
app.disable('x-powered-by')
app.disable('etag')
app.use(signIn)

app.post('/orders', express.json(), once, async (req, res) => {
  const { transaction, emit } = once.of(req)
  const tx = await transaction()
  const { item, card } = req.body
  const inserted = await tx.query<{ id: string }>(
    'insert into orders (customer, item, card) values ($1, $2, $3) returning id',
    [req.customer, item, card],
  )
  const order = { id: inserted.rows[0]?.id ?? '', item }

  // The row is written and not committed, which is the worst moment for a crash.
  if (item === 'piano') await warehouseCall(order)
  // A refusal undoes the row above. The refusal itself is kept, and every retry gets it.
  if (card === 'declined') return void res.status(402).json({ error: 'card declined' })

  emit({ type: 'order.created', subject: order.id, data: order })
  res.status(201).location(`/orders/${order.id}`).json(order)
})

app.get('/books', async (_req, res) => {
  const books = await db.query(`select
    (select count(*)::int from orders) as orders,
    (select count(*)::int from oncekey.records where status < 400) as keys,
    (select count(*)::int from oncekey.outbox) as events`)
  res.json(books.rows[0])
})

async function warehouseCall(order: object): Promise<void> {
  console.log(JSON.stringify({ inserted: order }))
  if (process.env.SLOW_WAREHOUSE) await new Promise((resolve) => setTimeout(resolve, 30_000))
}

const server = app.listen(Number(port), '127.0.0.1', () => {
  const address = server.address()
  console.log(JSON.stringify({ port: typeof address === 'object' && address?.port }))
})

process.on('SIGTERM', async () => {
  await once.drain()
  server.close()
  await db.close()
})
