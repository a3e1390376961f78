export type { HeldRun } from './hold/capture.ts'
export { closeSource } from './hold/close-source.ts'
export { hideHangUp } from './hold/hide-hang-up.ts'
export { type HeldResponse, holdBack } from './hold/hold-back.ts'
export { checkHead, sendableLines } from './internals/http2-head.ts'
export {
  type Internals,
  internalsOf,
  isGone,
  responseOn,
  serverOf,
} from './internals/internals.ts'
export { type Covered, type Covering, coverRequest } from './middleware/cover-request.ts'
export {
  type IdempotencyMiddleware,
  type IdempotencyOptions,
  idempotency,
} from './middleware/middleware.ts'
export { type BodyReading, isUnread, keepRawBody } from './request/body.ts'
export { arrivedOf, refuseCutOff } from './request/cut-off.ts'
export type { NodeRequest } from './request/node-request.ts'
export { hasBody } from './request/peek.ts'
export {
  type ChooseWhatCounts,
  goneSignal,
  headerLines,
  readRequest,
} from './request/read-request.ts'
export { writeResponse } from './response/write-response.ts'
