export {
  type Handler,
  type IdempotencyOptions,
  type IdempotencyWrapper,
  idempotency,
} from './idempotency.ts'
