export { type Logger, type LogOptions, logDecisions } from './log-decisions.ts'
export type { SagaStepTrace, Traces, WebhookTrace } from './traces.ts'
export { type Watcher, watch } from './watch.ts'
