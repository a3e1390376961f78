export type { Answer } from './answer.ts'
export type { Authenticate, SignedRequest } from './authenticate.ts'
export { bytesOfEvent, PAGE_BYTES, upToBytes } from './contracts/event-bytes.ts'
export {
  isTypePattern,
  meansType,
  normalTypes,
  patternsOf,
  splitTypes,
} from './contracts/event-types.ts'
export {
  departed,
  type Enrolment,
  enrolled,
  type Standing,
  type SubscriptionRecord,
  standingOf,
  subscriptionRecord,
  type WantedList,
  wantedIn,
} from './contracts/subscription-record.ts'
export type {
  DeadLetter,
  DeadLetterDetail,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterPage,
  DeadLetterPageRequest,
  DeadLetterSource,
  DeadLetterStats,
  PastAttempt,
  Redriven,
  Resolution,
} from './dead-letter-source.ts'
export { type Deadline, type Deadlines, deadlines } from './deadlines.ts'
export type {
  AttemptError,
  DeadReason,
  DeliveryAttempt,
  DeliveryVerdict,
  Due,
  DueDelivery,
  FailedDelivery,
  Settle,
  TakeDue,
} from './delivery.ts'
export { deriveKey } from './derive-key.ts'
export {
  type AlertMessage,
  type AppendedMessage,
  type DeadLetterMessage,
  type DecisionMessage,
  type DeliveryMessage,
  type EndMessage,
  type ErrorMessage,
  type EventsUndoneMessage,
  type Messages,
  type RelayErrorMessage,
  type RequestFacts,
  tell,
  warnOfFailure,
  warnOnce,
} from './diagnostics.ts'
export type { Disposition, DispositionOverrides } from './disposition.ts'
export { type Begun, createEngine, type Engine, type EngineRequest } from './engine.ts'
export { type ErrorCode, OncekeyError, OptionsError, type ProblemCode } from './errors.ts'
export { type EmittedEvent, type OutboxEvent, outboxEvent } from './event.ts'
export {
  type Advance,
  type EventLog,
  type EventLogCapabilities,
  type HeldSlot,
  type Intake,
  type Lag,
  type Lease,
  type LeaseRequest,
  type LoggedEvent,
  type Maintenance,
  type Page,
  type Position,
  type ReadRequest,
  SLOTS,
  type Subscription,
  slotOf,
  type TakeIn,
  type TakenSlot,
  type Want,
} from './event-log.ts'
export {
  type Fingerprint,
  type FingerprintInput,
  fingerprint,
  type RequestBody,
} from './fingerprint.ts'
export type { HandlerContext } from './handler-context.ts'
export type { ReplayHeader } from './header-rules.ts'
export { type MemoryLogOptions, memoryLog } from './memory-log.ts'
export {
  type MemoryStore,
  type MemoryStoreOptions,
  type MemoryTransaction,
  memoryStore,
} from './memory-store.ts'
export { type Call, type OnceOptions, type Outcome, once } from './once.ts'
export {
  checkScopeOption,
  type DispositionOf,
  type EngineOptions,
  type ResolvedOptions,
} from './options.ts'
export type { RetryAdvice } from './problem.ts'
export { withoutIds } from './request/route.ts'
export { framingHeaders, isFraming } from './response/framing.ts'
export type { Failure, Run, Verdict } from './run.ts'
export { resolveScope, type Scope } from './scope.ts'
export { checkSealKeys, type Seal, type SealKeys } from './seal.ts'
export type { Attempt, Claim, Completion, Decision, Store, StoreCapabilities } from './store.ts'
export type { HeaderChange, PlainResponse, StoredResponse } from './stored-response.ts'
export { type ActiveTraceparent, provideTraceparent } from './telemetry/trace-context.ts'
export {
  callLater,
  endsWithin,
  type Later,
  LONGEST_TIMER_MS,
  waitedFor,
} from './time/durations.ts'
export type { Reconciliation, UnknownOutcome, WhenUnknown } from './when-unknown.ts'
