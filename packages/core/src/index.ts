export { type Act, type ActedBy, actedBy, actTarget, checkedAct } from './acts/act.ts'
export type { ConsumerControl, LastError, RelayWork } from './acts/consumer-control.ts'
export { type JsonChange, jsonChanges } from './acts/json-changes.ts'
export type {
  Operation,
  OperationFilter,
  OperationPage,
  OperationPageRequest,
  Operations,
} from './acts/operations.ts'
export {
  boundedPage,
  LETTERS_LOOKED_AT,
  looksAtAll,
  namesLetters,
  rowsToRead,
} from './contracts/bounded-page.ts'
export {
  checkedConditions,
  checkedFilter,
  checkedRetryingFilter,
} from './contracts/dead-letter-filter.ts'
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
  Replaced,
  Resolution,
  RetryingFilter,
} from './contracts/dead-letter-source.ts'
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
} from './contracts/delivery.ts'
export type {
  Advance,
  AppendRequest,
  EventLog,
  EventLogCapabilities,
  Lag,
  Subscription,
  Want,
} from './contracts/event-log.ts'
export { emittedIds } from './contracts/events/emitted-ids.ts'
export {
  checkEvents,
  checkJsonText,
  type EmittedEvent,
  newEventId,
  type OutboxEvent,
  outboxEvent,
} from './contracts/events/event.ts'
export { bytesOfEvent, PAGE_BYTES, upToBytes } from './contracts/events/event-bytes.ts'
export {
  isTypePattern,
  meansType,
  normalTypes,
  patternsOf,
  splitTypes,
} from './contracts/events/event-types.ts'
export type { Fingerprint } from './contracts/fingerprint.ts'
export type { Intake, LogInbox, TakeIn } from './contracts/inbox.ts'
export {
  type ActResult,
  checkKeyFilter,
  checkPageLimit,
  type KeyAttempt,
  type KeyDetail,
  type KeyFilter,
  type KeyName,
  type KeyPage,
  type KeyPageRequest,
  type KeyResponse,
  type KeyState,
  type KeySummary,
  type Keys,
  keyTarget,
} from './contracts/keys.ts'
export type { LoggedEvent, Page, ReadRequest } from './contracts/logged-event.ts'
export {
  type Carried,
  checkedPace,
  checkedRequestId,
  checkSameStart,
  type Redrive,
  type RedriveFilter,
  type RedrivePace,
  type RedrivePage,
  type RedrivePageRequest,
  type RedrivePortion,
  type RedrivePortionPage,
  type RedriveRecords,
  type RedriveStart,
  type Redrives,
} from './contracts/redrives.ts'
export { failedLetters, resolvedAfter, resolvedSoFar } from './contracts/resolved-so-far.ts'
export {
  type Maintenance,
  type Retired,
  type Retirement,
  type RetireOptions,
  retirement,
} from './contracts/retirement.ts'
export {
  type HeldSlot,
  type Lease,
  type LeaseRequest,
  type Position,
  SLOTS,
  slotOf,
  type TakenSlot,
} from './contracts/slots.ts'
export type {
  Attempt,
  Claim,
  Completion,
  Decision,
  Store,
  StoreCapabilities,
} from './contracts/store.ts'
export {
  checkedAnswer,
  type HeaderChange,
  type PlainResponse,
  type StoredResponse,
} from './contracts/stored-response.ts'
export {
  departed,
  type Enrolment,
  enrolled,
  type ListAges,
  listAges,
  type Standing,
  type SubscriptionRecord,
  standingOf,
  subscriptionRecord,
  type WantedList,
  wantedIn,
} from './contracts/subscription-record.ts'
export type { Reconciliation, UnknownOutcome, WhenUnknown } from './contracts/when-unknown.ts'
export { NOT_ENDED, NOT_GIVEN_BACK } from './contracts/when-unknown.ts'
export { type Draining, drainEngines } from './engine/drain.ts'
export { createEngine, type Engine } from './engine/engine.ts'
export type { HandlerContext } from './engine/handler-context.ts'
export type { Begun, HandlerRun } from './engine/handler-run.ts'
export { type Call, type OnceOptions, type Outcome, once } from './engine/once.ts'
export type { DispositionOf, EngineOptions, ResolvedOptions } from './engine/options.ts'
export type { Answer, Failure, RunOutcome } from './engine/outcome.ts'
export { checkScopeOption } from './engine/resolve-options.ts'
export { isCausedByOne } from './errors/caused-by.ts'
export { type ErrorCode, OncekeyError, OptionsError, type ProblemCode } from './errors/errors.ts'
export { messageOf } from './errors/message-of.ts'
export { type MemoryLogOptions, memoryLog } from './memory/memory-log.ts'
export {
  type MemoryStore,
  type MemoryTransaction,
  memoryStore,
} from './memory/memory-store.ts'
export type { MemoryStoreOptions } from './memory/memory-store-options.ts'
export type { Authenticate, SignedRequest } from './request/authenticate.ts'
export { requestAborted } from './request/cut-off.ts'
export { deriveKey } from './request/derive-key.ts'
export type { EngineRequest } from './request/engine-request.ts'
export { type FingerprintInput, fingerprint, type RequestBody } from './request/fingerprint.ts'
export { withoutIds } from './request/route.ts'
export { resolveScope, type Scope } from './request/scope.ts'
export { checkSealKeys, type Seal, type SealKeys } from './request/seal.ts'
export { sealedKeys } from './request/sealed-keys.ts'
export type { Disposition, DispositionOverrides } from './response/disposition.ts'
export { closesConnection, framingHeaders, isFraming } from './response/framing.ts'
export type { ReplayHeader } from './response/header-rules.ts'
export { type ProblemType, problemTypes, type RetryAdvice } from './response/problem.ts'
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
} from './telemetry/channels.ts'
export { type Trace, type TracedContext, traceOf } from './telemetry/trace.ts'
export { type ActiveTraceparent, provideTraceparent } from './telemetry/trace-context.ts'
export {
  type DeliveredFacts,
  type DeliverTrace,
  deliverTrace,
  type PublishTrace,
  publishTrace,
  type RequestTrace,
  requestTrace,
} from './telemetry/traces.ts'
export { type Deadline, type Deadlines, deadlines } from './time/deadlines.ts'
export {
  CLOSING_MS,
  callLater,
  endsWithin,
  type Later,
  LONGEST_KEPT_MS,
  LONGEST_TIMER_MS,
  sleep,
  waitedFor,
  wholeMs,
  within,
} from './time/durations.ts'
export { createInsistence, type Insist, type Insisting, type Tries } from './time/insist.ts'
export { completionForLater, ENDS_SENT_FOR_MS, LATE_ENDS } from './time/late-ends.ts'
export { type UnansweredTakes, unansweredTakes } from './time/unanswered-takes.ts'
export { zonedTime } from './time/zoned-time.ts'
