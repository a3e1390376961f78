export {
  type Handler,
  type IdempotencyOptions,
  type IdempotencyWrapper,
  idempotency,
} from './fetch/idempotency.ts'
export type { AnswerOf } from './fetch/thrown-answer.ts'
