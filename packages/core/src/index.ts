export type { Answer } from './answer.ts'
export type { Authenticate, SignedRequest } from './authenticate.ts'
export type {
  DecisionMessage,
  EndMessage,
  ErrorMessage,
  EventsUndoneMessage,
  Messages,
  RequestFacts,
} from './diagnostics.ts'
export type { Disposition, DispositionOverrides } from './disposition.ts'
export { type Begun, createEngine, type Engine, type EngineRequest } from './engine.ts'
export { type ErrorCode, OncekeyError, OptionsError, type ProblemCode } from './errors.ts'
export type { EmittedEvent, OutboxEvent } from './event.ts'
export {
  type Fingerprint,
  type FingerprintInput,
  fingerprint,
  type RequestBody,
} from './fingerprint.ts'
export type { HandlerContext } from './handler-context.ts'
export type { ReplayHeader } from './header-rules.ts'
export {
  type MemoryStore,
  type MemoryStoreOptions,
  type MemoryTransaction,
  memoryStore,
} from './memory-store.ts'
export { type Call, type OnceOptions, type Outcome, once } from './once.ts'
export { checkScopeOption, type EngineOptions, type ResolvedOptions } from './options.ts'
export type { RetryAdvice } from './problem.ts'
export type { Run, Verdict } from './run.ts'
export { resolveScope, type Scope } from './scope.ts'
export { checkSealKeys, type SealKeys } from './seal.ts'
export type { Attempt, Claim, Completion, Decision, Store, StoreCapabilities } from './store.ts'
export type { HeaderChange, PlainResponse, StoredResponse } from './stored-response.ts'
export type { Reconciliation, UnknownOutcome, WhenUnknown } from './when-unknown.ts'
