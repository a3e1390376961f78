export {
  type Handler,
  type IdempotencyOptions,
  type IdempotencyWrapper,
  idempotency,
} from './idempotency.ts'
export type { AnswerOf } from './thrown-answer.ts'
