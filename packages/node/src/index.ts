export { type Covered, type Covering, coverRequest } from './cover-request.ts'
export type { HeldRun } from './hold/capture.ts'
export { type HeldResponse, holdBack } from './hold/hold-back.ts'
export { type Internals, internalsOf } from './internals.ts'
export {
  type IdempotencyMiddleware,
  type IdempotencyOptions,
  idempotency,
} from './middleware.ts'
export { type BodyReading, keepRawBody } from './request/body.ts'
export { hasBody } from './request/peek.ts'
export { type ChooseWhatCounts, type NodeRequest, readRequest } from './request/read-request.ts'
export { writeResponse } from './response/write-response.ts'
