export { PermanentError } from '@oncekey/outbox'
export type { Retry } from './definition/retry-policy.ts'
export { type AnySaga, type Saga, type SagaOptions, saga } from './definition/saga.ts'
export type {
  AttemptContext,
  CompensationContext,
  Step,
  StepContext,
  StepKind,
  Stored,
} from './definition/step.ts'
export type { CompensateOptions } from './operator/interventions.ts'
export type { ListedRun, ListFilter, RunState, Stuck, WholeRun } from './operator/runs.ts'
export {
  type SagaOperator,
  type SagaOperatorOptions,
  sagaOperator,
} from './operator/saga-operator.ts'
export type { StepState } from './run/run.ts'
export type { RunRequest } from './run/run-request.ts'
export { SagaError, type SagaErrorCode } from './run/saga-error.ts'
export type { TimelineEntry } from './run/timeline.ts'
export type { ExecuteOptions } from './runner/execute.ts'
export { createSagaRunner, type SagaRunner } from './runner/saga-runner.ts'
export { sagaMigrations } from './schema/migrations/saga-migrations.ts'
export type { SagaRunnerOptions } from './state/runner-options.ts'
export type { SagaAlert } from './telemetry/alert.ts'
export type {
  SagaAttemptMessage,
  SagaEndMessage,
  SagaErrorMessage,
  SagaLostMessage,
  SagaMessages,
  SagaRecordedMessage,
  SagaStepTrace,
} from './telemetry/channels.ts'
