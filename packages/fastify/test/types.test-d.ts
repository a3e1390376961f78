import { type HandlerContext, type MemoryTransaction, memoryStore, type Store } from '@oncekey/core'
import Fastify from 'fastify'
import { expectTypeOf, test } from 'vitest'
import idempotency, { type Once } from '../src/index.ts'

declare module 'fastify' {
  interface FastifyRequest {
    user: { id: string }
  }
}

interface Client {
  query(sql: string): Promise<{ rows: unknown[] }>
}
declare const store: Store<Client>
const app = Fastify()

test('the plugin checks its options at registration', () => {
  app.register(idempotency, { store, scope: (request) => request.user.id })
  app.register(idempotency, { store: memoryStore(), scope: 'dangerously-shared', waitMs: 10 })
  app.register(idempotency, {
    store,
    scope: () => 'ana',
    fingerprint: async (request) => request.headers,
  })
  // @ts-expect-error no scope
  app.register(idempotency, { store })
  // @ts-expect-error no store
  app.register(idempotency, { scope: () => 'ana' })
  // @ts-expect-error a scope is text
  app.register(idempotency, { store, scope: () => 7 })
})

test('apps with other servers and type providers accept it', () => {
  const options = { store, scope: () => 'ana' }
  Fastify({ http2: true }).register(idempotency, options)
  Fastify().withTypeProvider().register(idempotency, options)
  import('@oncekey/core').then(() => app.register(import('../src/index.ts'), options))
})

test('once.of(request) is typed by its store in every handler form', () => {
  const once = idempotency.with({ store, scope: (request) => request.user.id })
  expectTypeOf(once).toEqualTypeOf<Once<Client>>()
  app.register(once)
  app.post('/orders', async (request) => {
    expectTypeOf(once.of(request)).toEqualTypeOf<HandlerContext<Client>>()
    const tx = await once.of(request).transaction()
    expectTypeOf(tx).toEqualTypeOf<Client>()
  })
  app.post<{ Body: { cents: number }; Params: { id: string } }>('/orders/:id', async (request) => {
    const { transaction, emit } = once.of(request)
    emit({ type: 'order.paid', subject: request.params.id, data: { cents: request.body.cents } })
    expectTypeOf(await transaction()).toEqualTypeOf<Client>()
  })
  const memory = idempotency.with({ store: memoryStore(), scope: () => 'ana' })
  app.post('/', async (request) => {
    expectTypeOf(await memory.of(request).transaction()).toEqualTypeOf<MemoryTransaction>()
  })
  expectTypeOf(once.drain()).toEqualTypeOf<Promise<number>>()
})

test('request.idempotency is loosely typed, and null on uncovered routes', () => {
  app.post('/orders', async (request) => {
    expectTypeOf(request.idempotency).toEqualTypeOf<HandlerContext | null>()
    expectTypeOf(request.idempotency?.key).toEqualTypeOf<string | undefined>()
  })
})

test('a route takes its own options, or false', () => {
  const handler = async () => 'ok'
  app.post('/a', { config: { idempotency: false } }, handler)
  app.post('/b', { config: { idempotency: { waitMs: 100, scope: (r) => r.user.id } } }, handler)
  app.post('/c', { config: { idempotency: { store: memoryStore() } } }, handler)
  // @ts-expect-error no such policy
  app.post('/d', { config: { idempotency: { whenUnknown: 'guess' } } }, handler)
})
