import idempotency from '@oncekey/fastify'
import { migrate, postgresStore } from '@oncekey/postgres'
import Fastify from 'fastify'
import { Pool } from 'pg'

const pool = new Pool({ connectionString: process.env.DATABASE_URL })
pool.on('error', console.error)
await migrate(pool) // creates the schema "oncekey"; safe to run from every process
await pool.query('create table if not exists payments (id serial primary key, cents int not null)')

const once = idempotency.with({
  store: postgresStore({ client: pool }),
  // The key's owner, from your authentication.
  scope: (request) => String(request.headers['x-account'] ?? ''),
})

const app = Fastify()
await app.register(once) // covers the routes that are registered after it

app.post<{ Body: { cents: number } }>('/payments', async (request, reply) => {
  const { transaction, emit } = once.of(request)
  const tx = await transaction() // a pg client; what it writes commits with the response
  const sql = 'insert into payments (cents) values ($1) returning *'
  const { rows } = await tx.query(sql, [request.body.cents])
  emit({ type: 'payment.made', subject: String(rows[0].id), data: rows[0] })
  return reply.code(201).send(rows[0]) // stored and committed before the first byte leaves
})
await app.listen({ port: Number(process.env.PORT ?? 3000) })
