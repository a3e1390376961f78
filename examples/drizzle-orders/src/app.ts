import { idempotency } from '@oncekey/express'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromDrizzle } from '@oncekey/postgres/drizzle'
import { and, eq, gt, sql } from 'drizzle-orm'
import express, { type Express } from 'express'
import { createTables, db } from './database.ts'
import { orders, stock } from './schema.ts'

const client = fromDrizzle(db)
await migrate(client) // creates the schema "oncekey"; safe to run from every process
await createTables()

export const once = idempotency({
  store: postgresStore({ client }),
  // The key's owner, from your authentication.
  scope: (req) => String(req.headers['x-account'] ?? ''),
})

export const app: Express = express()

app.post('/orders', express.json(), once, async (req, res) => {
  const { transaction, emit, scope } = once.of(req)
  const tx = await transaction() // a Drizzle transaction; what it writes commits with the response
  const [taken] = await tx
    .update(stock)
    .set({ left: sql`${stock.left} - 1` })
    .where(and(eq(stock.item, req.body.item), gt(stock.left, 0)))
    .returning()
  if (taken === undefined) return res.status(409).json({ error: 'sold out' })
  const [order] = await tx.insert(orders).values({ item: taken.item, buyer: scope }).returning()
  emit({ type: 'order.placed', subject: String(order?.id), data: { ...order } })
  return res.status(201).json(order) // stored and committed before the first byte leaves
})

app.get('/books', async (_, res) => {
  res.json({ stock: await db.select().from(stock), orders: await db.select().from(orders) })
})
