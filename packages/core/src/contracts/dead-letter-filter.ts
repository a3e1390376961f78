import type { DeadReason } from './delivery.ts'

/** Every given condition must hold. An empty filter matches all. */
export interface DeadLetterFilter {
  readonly ids?: readonly string[]
  readonly eventIds?: readonly string[]
  /** A consumer, an endpoint, a saga. */
  readonly origin?: string
  readonly type?: string
  readonly subject?: string
  readonly reason?: DeadReason
  /** A kind of error: `error.fingerprint`. No fingerprint of a request. */
  readonly fingerprint?: string
  readonly deadBefore?: Date
  readonly deadAfter?: Date
  /**
   * Matches only the dead letters of retired consumers. @default false, which matches none of them
   */
  readonly retired?: boolean
}

/** Every given condition must hold. An empty filter matches all that are retrying. */
export type RetryingFilter = Pick<DeadLetterFilter, 'origin' | 'type' | 'subject'>
