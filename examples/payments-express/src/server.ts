import { idempotency } from '@oncekey/express'
import { migrate, postgresStore } from '@oncekey/postgres'
import express from 'express'
import { Pool } from 'pg'

const pool = new Pool({ connectionString: process.env.DATABASE_URL })
pool.on('error', console.error)
await migrate(pool) // creates the schema "oncekey"; safe to run from every process
await pool.query('create table if not exists payments (id serial primary key, cents int not null)')

const once = idempotency({
  store: postgresStore({ client: pool }),
  // Whose the key is: in an application from your authentication, as anybody can set a header.
  scope: (req) => String(req.headers['x-account'] ?? ''),
})

const app = express()
app.post('/payments', express.json(), once, async (req, res) => {
  const { transaction, emit } = once.of(req)
  const tx = await transaction() // a pg client; what it writes commits with the response
  const sql = 'insert into payments (cents) values ($1) returning *'
  const { rows } = await tx.query(sql, [req.body.cents])
  emit({ type: 'payment.made', subject: String(rows[0].id), data: rows[0] })
  res.status(201).json(rows[0]) // stored and committed before the first byte leaves
})
app.listen(Number(process.env.PORT ?? 3000))
