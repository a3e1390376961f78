export { type Components, idempotencyComponents, type JsonObject } from './components.ts'
export { describeIdempotency } from './describe-document.ts'
export type { DescribeOptions } from './options.ts'
