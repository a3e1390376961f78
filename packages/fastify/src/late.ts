export type { Coverage } from './coverage/coverage.ts'
export { type BodyKeeping, type LateIdempotency, lateIdempotency } from './plugin/claim-late.ts'
