import { PGlite } from '@electric-sql/pglite'
import swagger from '@fastify/swagger'
import idempotency from '@oncekey/fastify'
import { describeIdempotency, describeWebhooks } from '@oncekey/openapi'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import Fastify, { type FastifyInstance } from 'fastify'
import { events, order } from './events.ts'

/** An orders API that describes itself, on embedded Postgres. */
export async function createApp(): Promise<{ app: FastifyInstance; db: PGlite }> {
  const db = new PGlite(process.env.DATA_FOLDER)
  const client = fromPglite(db)
  await migrate(client)
  await db.query('create table if not exists orders (id serial primary key, item text not null)')
  const options = {
    store: postgresStore({ client }),
    scope: (request: { headers: Record<string, unknown> }) =>
      String(request.headers['x-account'] ?? ''), // the key's owner, from your authentication
  }
  const once = idempotency.with(options)

  const app = Fastify()
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.1',
      info: {
        title: 'Orders',
        version: '1.0.0',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: 'https://orders.example' }],
      security: [],
    },
    // The same options as the middleware has, so that the document says what it does.
    transformObject: (document) =>
      describeWebhooks(
        describeIdempotency('openapiObject' in document ? document.openapiObject : {}, options),
        events,
      ),
  })
  await app.register(once)

  const schema = {
    operationId: 'placeOrder',
    summary: 'Place an order',
    body: {
      type: 'object',
      required: ['item'],
      properties: { item: { type: 'string', minLength: 1 } },
    },
    response: { 201: { description: 'The order is placed.', ...order } },
  } as const
  app.post<{ Body: { item: string } }>('/orders', { schema }, async (request, reply) => {
    const { transaction, emit } = once.of(request)
    const tx = await transaction() // a PGlite transaction; what it writes commits with the response
    const sql = 'insert into orders (item) values ($1) returning *'
    const { rows } = await tx.query<{ id: number; item: string }>(sql, [request.body.item])
    emit({ type: 'order.placed', subject: String(rows[0]?.id), data: rows[0] })
    return reply.code(201).send(rows[0])
  })
  app.addHook('onClose', () => db.close())
  return { app, db }
}
