export { type Backoff, type BackoffOptions, backoff } from './backoff.ts'
export {
  type BatchConsumerOptions,
  type BatchContext,
  type Consumer,
  type ConsumerContext,
  type ConsumerOptions,
  type ConsumerSettings,
  consumer,
} from './consumer.ts'
export {
  type Alert,
  type AlertOptions,
  type DeadLetterAlerts,
  deadLetterAlerts,
} from './dead-letter-alerts.ts'
export {
  type DeadLetters,
  deadLetters,
  type RedriveOptions,
  type RedriveResult,
} from './dead-letters.ts'
export type { DeliveredEvent } from './delivered-event.ts'
export { type EventBus, type EventBusOptions, eventBus } from './event-bus.ts'
export { PermanentError } from './permanent-error.ts'
export { createRelay, type Relay } from './relay.ts'
export type { RelayOptions } from './relay-options.ts'
