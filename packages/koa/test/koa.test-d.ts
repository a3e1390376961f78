import { Router } from '@koa/router'
import { type HandlerContext, type MemoryTransaction, memoryStore, type Store } from '@oncekey/core'
import Koa, { type Context, type DefaultState, type ParameterizedContext } from 'koa'
import { expectTypeOf, test } from 'vitest'
import { idempotency, type KoaContext } from '../src/index.ts'

interface Client {
  query(sql: string): Promise<{ rows: unknown[] }>
}
declare const store: Store<Client>

test("Koa's contexts are what the middleware takes", () => {
  expectTypeOf<Context>().toExtend<KoaContext>()
  expectTypeOf<ParameterizedContext<DefaultState, Context>>().toExtend<KoaContext>()
})

test('it is mounted on an app and on a route of @koa/router', () => {
  const once = idempotency({ store, scope: (ctx) => ctx.state.user.id })
  new Koa().use(once)
  new Router().use(once).post('/orders', once, async (ctx) => {
    expectTypeOf(once.of(ctx)).toEqualTypeOf<HandlerContext<Client>>()
    ctx.body = 'ok'
  })
})

test('an app with a state of its own says so once', () => {
  interface State {
    user: { id: string }
  }
  type Own = ParameterizedContext<State>
  const once = idempotency({
    store: memoryStore(),
    scope: (ctx: Own) => ctx.state.user.id,
    fingerprint: async (ctx: Own, bytes) => [ctx.path, await bytes()],
  })
  new Koa<State>().use(once)
  expectTypeOf(once.of).returns.toEqualTypeOf<HandlerContext<MemoryTransaction>>()
})

test('what is missing or wrong is told at compile time', () => {
  // @ts-expect-error no scope
  idempotency({ store })
  // @ts-expect-error a scope is text
  idempotency({ store, scope: () => 7 })
})
