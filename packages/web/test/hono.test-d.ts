import { type HandlerContext, type MemoryTransaction, memoryStore, type Store } from '@oncekey/core'
import { type IdempotencyVariables, idempotency } from '@oncekey/web/hono'
import { type Context, Hono } from 'hono'
import { hc } from 'hono/client'
import { createFactory } from 'hono/factory'
import { validator } from 'hono/validator'
import { expectTypeOf, test } from 'vitest'

interface Client {
  query(sql: string): Promise<{ rows: unknown[] }>
}
interface App {
  Bindings: { REGION: string }
  Variables: { user: { id: string } }
}
declare const store: Store<Client>

test('options are checked', () => {
  idempotency({ store, scope: 'dangerously-shared', waitMs: 10 })
  idempotency({ store, scope: (c) => c.get('user').id, fingerprint: (c) => c.req.json() })
  idempotency({ store, scope: (c: Context<App>) => c.var.user.id + c.env.REGION })
  // @ts-expect-error no scope
  idempotency({ store })
  // @ts-expect-error no store
  idempotency({ scope: () => 'ana' })
  // @ts-expect-error a scope is text
  idempotency({ store, scope: () => 7 })
  // @ts-expect-error the app has no such variable
  idempotency({ store, scope: (c: Context<App>) => c.var.account.id })
})

test('once.of(c) is typed by its store in any app', () => {
  const once = idempotency({ store, scope: (c: Context<App>) => c.var.user.id })
  const app = new Hono<App>()
  app.use(once)
  app.post('/orders/:id', async (c) => {
    expectTypeOf(once.of(c)).toEqualTypeOf<HandlerContext<Client>>()
    expectTypeOf(await once.of(c).transaction()).toEqualTypeOf<Client>()
    return c.json({ id: c.req.param('id'), by: c.var.user.id })
  })
  const memory = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
  new Hono().post('/', async (c) => {
    expectTypeOf(await memory.of(c).transaction()).toEqualTypeOf<MemoryTransaction>()
    return c.body(null)
  })
  expectTypeOf(once.drain()).toEqualTypeOf<Promise<number>>()
})

test('c.var and c.get behind it have the typed context, beside the app’s and validators’ own', () => {
  const once = idempotency({ store, scope: (c) => c.get('user').id })
  const body = validator('json', (value) => ({ cents: Number(value.cents) }))
  new Hono<App>().post('/orders/:id', once, body, async (c) => {
    expectTypeOf(c.var.idempotency).toEqualTypeOf<HandlerContext<Client>>()
    expectTypeOf(c.get('idempotency')).toEqualTypeOf<HandlerContext<Client>>()
    expectTypeOf(c.var.user.id).toEqualTypeOf<string>()
    expectTypeOf(c.req.param('id')).toEqualTypeOf<string>()
    expectTypeOf(c.req.valid('json').cents).toEqualTypeOf<number>()
    return c.json({ id: 1 }, 201)
  })
  new Hono().use(once).post('/orders', (c) => {
    expectTypeOf(c.var.idempotency.transaction()).toEqualTypeOf<Promise<Client>>()
    return c.body(null)
  })
  createFactory<App>().createHandlers(once, (c) => {
    expectTypeOf(c.var.idempotency.key).toEqualTypeOf<string | undefined>()
    return c.body(null)
  })
  // An app that mounts it in another place declares the variables itself.
  new Hono<{ Variables: IdempotencyVariables<Client> }>().post('/orders', (c) => {
    expectTypeOf(c.var.idempotency).toEqualTypeOf<HandlerContext<Client>>()
    return c.body(null)
  })
})

test('the Hono client of an app is unaffected by it', () => {
  const once = idempotency({ store, scope: 'dangerously-shared' })
  const app = new Hono().post('/orders', once, (c) => c.json({ id: 1 }, 201))
  const client = hc<typeof app>('http://shop.example')
  expectTypeOf(client.orders.$post).returns.resolves.toHaveProperty('json')
  expectTypeOf<Awaited<ReturnType<typeof client.orders.$post>>['status']>().toEqualTypeOf<201>()
})
