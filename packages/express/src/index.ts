export { keepRawBody } from '@oncekey/node'
export type { ExpressRequest } from './express-request.ts'
export {
  type IdempotencyMiddleware,
  type IdempotencyOptions,
  idempotency,
} from './middleware.ts'
