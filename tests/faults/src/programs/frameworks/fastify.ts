import idempotency from '@oncekey/fastify'
import Fastify from 'fastify'
import type { PoolClient } from 'pg'
import type { OrderRequest } from '../place-order.ts'
import { FAILED, type ServeWith } from './shop-front.ts'

export const serve: ServeWith = async ({ engine, place, port, leftOver }) => {
  const idempotent = idempotency.with<PoolClient>(engine)
  const app = Fastify()
  await app.register(idempotent)
  app.post<{ Body: OrderRequest }>('/orders', async (request, reply) => {
    const { status, body } = await place(request.body, idempotent.of(request))
    return reply.code(status).send(body)
  })
  app.get('/left-over', { config: { idempotency: false } }, async () => leftOver())
  app.setErrorHandler((_error, _request, reply) => {
    reply.code(500).send(FAILED)
  })
  await app.listen({ port, host: '127.0.0.1' })
}
