import type { LoggedEvent } from './logged-event.ts'
import type { HeldSlot } from './slots.ts'

/** A delivery that failed, in the form in which it is filed. */
export interface FailedDelivery {
  readonly event: LoggedEvent
  readonly verdict: DeliveryVerdict
  /**
   * The attempt that failed; `null` for a delivery that waits behind an earlier one of its ordering
   * key.
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
 * - `unwanted`: when the event was read, some running release took events of its type; since then
 *   the last such release has gone.
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
  /**
   * Equal for errors of the same kind. Made of the error's name, its code, and its message without
   * numbers and ids.
   */
  readonly fingerprint: string
  /** The message has the beginning of what a receiver answered in it. */
  readonly quotes?: 'response'
}

export interface TakeDue {
  readonly consumer: string
  readonly slots: readonly HeldSlot[]
  /** Deliveries that this relay is already working on. */
  readonly except: readonly string[]
  /** The most deliveries to take or, with `run`, the most ordering keys. */
  readonly limit: number
  /**
   * For an ordered consumer: how many consecutive deliveries of one ordering key may be taken
   * together. Without it, deliveries come when they are due, in any order.
   */
  readonly run?: number
  /** The most data and headers of all deliveries together. Bytes. @default PAGE_BYTES */
  readonly maxBytes?: number
  /**
   * Takes only events of these types; the others belong to another release. @default null, all
   * types
   */
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
  /**
   * The number of starts, this one included. In a run only the first delivery was started; its
   * followers were not.
   */
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
    /**
     * For a delivery that is given back untried: how many of its starts stay on record, because
     * processes died of them. @default none but those of its attempts
     */
    readonly startsLeft?: number
    /**
     * The counts with which `takeDue` returned the delivery: if it has others now, this verdict is
     * on record already. @default the verdict is recorded whatever they are
     */
    readonly claimed?: Pick<DueDelivery, 'attempts' | 'redrives'>
  }[]
}
