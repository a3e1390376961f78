export { keepRawBody } from '@oncekey/node'
export type { ExpressRequest } from './middleware/express-request.ts'
export {
  type IdempotencyMiddleware,
  type IdempotencyOptions,
  idempotency,
} from './middleware/middleware.ts'
