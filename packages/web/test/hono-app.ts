import { type MemoryStore, type MemoryTransaction, memoryStore } from '@oncekey/core'
import { type IdempotencyMiddleware, type IdempotencyOptions, idempotency } from '@oncekey/web/hono'
import { type Env, Hono } from 'hono'

/** An app without routes, a middleware for it, and its store. */
export function site(options: Partial<IdempotencyOptions<MemoryTransaction, Env>> = {}): {
  app: Hono
  once: IdempotencyMiddleware<MemoryTransaction>
  store: MemoryStore
} {
  const store = memoryStore()
  const once = idempotency<MemoryTransaction, Env>({
    store,
    scope: 'dangerously-shared',
    ...options,
  })
  return { app: new Hono(), once, store }
}

/** A POST of `{"amount":1}` with this key. */
export function post(
  app: Pick<Hono, 'request'>,
  key: string,
  { path = '/orders', body = '{"amount":1}', headers = {} as Record<string, string> } = {},
): Promise<Response> {
  return Promise.resolve(
    app.request(path, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers },
    }),
  )
}

export const replayed = ({ headers }: Response): boolean =>
  headers.get('x-idempotency-replayed') === 'true'
