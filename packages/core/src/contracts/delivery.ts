import type { LoggedEvent } from './logged-event.ts'
import type { HeldSlot } from './slots.ts'

/** A delivery that failed, in the form in which it is filed. */
export interface FailedDelivery {
  readonly event: LoggedEvent
  readonly verdict: DeliveryVerdict
  /**
   * The attempt that failed; `null` for a delivery that waits behind another of its ordering key.
   */
  readonly attempt: DeliveryAttempt | null
}

/** What becomes of a delivery after an attempt. */
export type DeliveryVerdict =
  | { readonly kind: 'retrying'; readonly delayMs: number }
  | { readonly kind: 'dead'; readonly reason: DeadReason }

/**
 * Why a delivery is dead.
 *
 * - `permanent`: the consumer said that another attempt cannot help.
 * - `exhausted`: it used up its attempts.
 * - `poison`: it was started again and again, and the process died each time before it could record
 *   an outcome.
 * - `unwanted`: a release took events of its type when it was read, and no release takes them any
 *   more.
 * - `retired`: its consumer was retired while it was retrying.
 */
export type DeadReason = 'permanent' | 'exhausted' | 'poison' | 'unwanted' | 'retired'

/** One attempt to deliver an event. */
export interface DeliveryAttempt {
  readonly startedAtMs: number
  readonly durationMs: number
  readonly error: AttemptError
}

/** An error as text, with bounded lengths. */
export interface AttemptError {
  readonly name: string
  readonly message: string
  readonly code: string | null
  readonly stack: string | null
  /** Equal for errors of one kind: made of name, code, and message without numbers and ids. */
  readonly fingerprint: string
  /** The message has the beginning of what a receiver answered in it. */
  readonly quotes?: 'response'
}

export interface TakeDue {
  readonly consumer: string
  readonly slots: readonly HeldSlot[]
  /** Deliveries that this relay is already working on. */
  readonly except: readonly string[]
  /** The largest number of deliveries, or, with `run`, of ordering keys. */
  readonly limit: number
  /**
   * For an ordered consumer: how many deliveries of one ordering key may come, one behind the
   * other. Without it, deliveries come when they are due, in any order.
   */
  readonly run?: number
  /** The size of data and headers together. @default PAGE_BYTES */
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
  /** The number of recorded outcomes. */
  readonly attempts: number
  /** The number of starts, this one included. The followers in a run have not been started. */
  readonly starts: number
  readonly redrives: number
}

export interface Settle {
  readonly consumer: string
  readonly slots: readonly HeldSlot[]
  readonly settled: readonly {
    readonly id: string
    readonly slot: number
    /** `done`, or what becomes of the delivery. */
    readonly verdict: DeliveryVerdict | { readonly kind: 'done' }
    readonly attempt: DeliveryAttempt | null
  }[]
}
