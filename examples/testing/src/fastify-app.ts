import type { Store } from '@oncekey/core'
import idempotency from '@oncekey/fastify'
import fastify, { type FastifyInstance } from 'fastify'

export async function createApp<Tx>(store: Store<Tx>): Promise<FastifyInstance> {
  const app = fastify()
  await app.register(idempotency, {
    store,
    scope: (request) => String(request.headers['x-account'] ?? ''),
  })
  app.post<{ Body: { item: string } }>('/orders', async (request, reply) => {
    reply.code(201)
    return { id: Math.random(), item: request.body.item }
  })
  return app
}
