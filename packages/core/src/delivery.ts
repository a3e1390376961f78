import type { HeldSlot, LoggedEvent } from './event-log.ts'

/** An event that did not succeed, as it goes on file. */
export interface FailedDelivery {
  readonly event: LoggedEvent
  readonly verdict: DeliveryVerdict
  /** What was tried; none of one that waits behind another of its ordering key. */
  readonly attempt: DeliveryAttempt | null
}

/** What becomes of a delivery that was tried. */
export type DeliveryVerdict =
  | { readonly kind: 'retrying'; readonly delayMs: number }
  | { readonly kind: 'dead'; readonly reason: DeadReason }

/**
 * `permanent`: the consumer said that trying again cannot help. `exhausted`: it was tried as often as
 * it may be. `poison`: it was started again and again and the process never lived to say how it ended.
 * `unwanted`: a release took events of its type when it was read, and no release does any more.
 */
export type DeadReason = 'permanent' | 'exhausted' | 'poison' | 'unwanted'

/** One try. */
export interface DeliveryAttempt {
  readonly startedAtMs: number
  readonly durationMs: number
  readonly error: AttemptError
}

/** What was thrown, as text; bounded. */
export interface AttemptError {
  readonly name: string
  readonly message: string
  readonly code: string | null
  readonly stack: string | null
  /** The same for errors of one kind: their name, code and message without its numbers and ids. */
  readonly fingerprint: string
}

export interface TakeDue {
  readonly consumer: string
  readonly slots: readonly HeldSlot[]
  /** Deliveries that this relay has under way already. */
  readonly except: readonly string[]
  readonly limit: number
  /** Of data and headers. @default PAGE_BYTES */
  readonly maxBytes?: number
  /** Only these types; the others belong to another release. @default null, all of them */
  readonly types?: readonly string[] | null
}

export interface Due {
  readonly deliveries: readonly DueDelivery[]
  readonly nextInMs: number | null
}

export interface DueDelivery {
  readonly id: string
  readonly event: LoggedEvent
  /** Outcomes so far. */
  readonly attempts: number
  /** Starts so far, this one included. */
  readonly starts: number
  readonly redrives: number
}

export interface Settle {
  readonly consumer: string
  readonly slots: readonly HeldSlot[]
  readonly settled: readonly {
    readonly id: string
    readonly slot: number
    /** `done`, or what becomes of it. */
    readonly verdict: DeliveryVerdict | { readonly kind: 'done' }
    readonly attempt: DeliveryAttempt | null
  }[]
}
