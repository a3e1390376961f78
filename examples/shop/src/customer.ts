import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import idempotency from '@oncekey/fastify'
import { receiveWebhook } from '@oncekey/webhooks'
import Fastify from 'fastify'

/**
 * A customer who receives webhooks about orders, takes each once, and whose endpoint fails at
 * first.
 */
export interface Customer {
  readonly name: string
  readonly url: string
  /** The types of the webhooks that the customer has taken in, for each order. */
  readonly told: Map<string, string[]>
  readonly refused: () => number
  secret: string
  isUp: boolean
  close(): Promise<void>
}

export async function customer(name: string): Promise<Customer> {
  let refused = 0
  const self = {
    name,
    url: '',
    told: new Map<string, string[]>(),
    refused: () => refused,
    secret: '',
    isUp: false,
  }
  const received = idempotency.with({
    store: memoryStore(),
    ...receiveWebhook({ secrets: async () => [self.secret] }),
  })
  const app = Fastify()
  app.addHook('onRequest', async (_request, reply) => {
    if (self.isUp) return
    refused++
    await reply.code(500).send()
  })
  await app.register(received)
  app.post<{ Body: { type: string; data: { id: string } } }>('/', async (request, reply) => {
    const { type, data } = request.body
    self.told.set(data.id, [...(self.told.get(data.id) ?? []), type])
    return reply.code(204).send()
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  self.url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`
  return Object.assign(self, { close: () => app.close() })
}
