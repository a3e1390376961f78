export type { SagaAlert } from './alert.ts'
export type {
  SagaAttemptMessage,
  SagaEndMessage,
  SagaErrorMessage,
  SagaLostMessage,
  SagaMessages,
  SagaRecordedMessage,
} from './diagnostics.ts'
export type { ExecuteOptions } from './execute.ts'
export type { CompensateOptions } from './interventions.ts'
export { migrateSagas } from './migrate-sagas.ts'
export type { Retry } from './retry-policy.ts'
export type { StepState } from './run.ts'
export type { RunRequest } from './run-request.ts'
export type { SagaRunnerOptions } from './runner-options.ts'
export type { ListedRun, ListFilter, RunState, Stuck, WholeRun } from './runs.ts'
export { type AnySaga, type Saga, type SagaOptions, saga } from './saga.ts'
export { SagaError, type SagaErrorCode } from './saga-error.ts'
export { type SagaRunner, sagaRunner } from './saga-runner.ts'
export type {
  AttemptContext,
  CompensationContext,
  Step,
  StepContext,
  StepKind,
  Stored,
} from './step.ts'
export { TerminalError } from './terminal-error.ts'
export type { TimelineEntry } from './timeline.ts'
