export { keepRawBody } from './body.ts'
export {
  type IdempotencyMiddleware,
  type IdempotencyOptions,
  idempotency,
} from './middleware.ts'
export type { ExpressRequest } from './read-request.ts'
