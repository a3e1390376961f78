export { type Backoff, type BackoffOptions, backoff } from './consumer/backoff.ts'
export {
  type BatchConsumerOptions,
  type BatchContext,
  type Consumer,
  type ConsumerContext,
  type ConsumerOptions,
  type ConsumerSettings,
  consumer,
} from './consumer/consumer.ts'
export type { DeliveredEvent, PlainEvent } from './consumer/delivered-event.ts'
export { PermanentError } from './consumer/permanent-error.ts'
export { type CarriedRedrives, carryOnce, carryRedrives } from './dead-letters/carry-redrives.ts'
export {
  type Alert,
  type AlertOptions,
  type DeadLetterAlerts,
  deadLetterAlerts,
} from './dead-letters/dead-letter-alerts.ts'
export {
  type DeadLetterPreview,
  type DeadLetters,
  deadLetters,
} from './dead-letters/dead-letters.ts'
export type { RedriveOptions, RedriveResult } from './dead-letters/redrive-options.ts'
export { createEventBus, type EventBus, type EventBusOptions } from './event-bus.ts'
export { createRelay, type Relay } from './relay/relay.ts'
export type { RelayOptions } from './relay/relay-options.ts'
