export type { KoaContext } from './middleware/koa-context.ts'
export { type IdempotencyMiddleware, idempotency } from './middleware/middleware.ts'
export type { IdempotencyOptions } from './middleware/options.ts'
