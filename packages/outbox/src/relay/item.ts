import {
  type DeliveryAttempt,
  type DeliveryVerdict,
  type DueDelivery,
  type FailedDelivery,
  type LoggedEvent,
  tell,
} from '@oncekey/core'
import { type Entry, hasSuspects, type Slot, startsOf } from './slot.ts'

/**
 * One thing to give to the consumer: an event just read from the log, or a delivery that is due
 * again.
 */
export type Item =
  | {
      readonly kind: 'entry'
      readonly slot: Slot
      readonly event: LoggedEvent
      readonly entry: Entry
    }
  | {
      readonly kind: 'due'
      readonly slot: Slot
      readonly event: LoggedEvent
      readonly due: DueDelivery
      /**
       * For ordered consumers: the deliveries of the same ordering key that were claimed together.
       */
      readonly sequence: KeySequence
    }

/** Deliveries of one ordering key that were claimed together, to be tried one after the other. */
export interface KeySequence {
  /** How many have not ended. */
  left: number
  /** Set when one of them has failed and will be retried: those behind it must wait for that. */
  isBroken: boolean
}

/** How an item that did not succeed ended. */
export interface ItemEnd {
  readonly verdict: DeliveryVerdict
  readonly attempt: DeliveryAttempt | null
  /** The error that the consumer threw; `undefined` if it was not called. */
  readonly error: unknown
}

/**
 * The end of an event that is not tried, because an earlier event of its ordering key has failed
 * and is on file.
 */
export const PARKED: ItemEnd = {
  verdict: { kind: 'retrying', delayMs: 0 },
  attempt: null,
  error: undefined,
}

/** The number of the item's attempt, counted from 1. */
export function attemptOf(item: Item): number {
  return item.kind === 'entry' ? 1 : item.due.attempts + 1
}

/**
 * Whether an earlier delivery of the item's sequence failed, so that this one goes back on file
 * untried.
 */
export function isLeftOver(item: Item): boolean {
  return item.kind === 'due' && item.sequence.isBroken
}

/**
 * Whether a process may have died of the item: its last starts have no recorded end, or the holders
 * of its slot crashed.
 */
export function isSuspect(item: Item): boolean {
  if (item.kind === 'due') return startsOf(item.slot, item.due) > 1
  return hasSuspects(item.slot)
}

/** A failed event in the form in which the log files it. */
export function failedDelivery(event: LoggedEvent, { verdict, attempt }: ItemEnd): FailedDelivery {
  return { event, verdict, attempt }
}

/** Publishes a failed attempt on `oncekey:delivery`. */
export function tellDelivery(
  consumer: string,
  item: Item,
  { verdict, error }: ItemEnd,
  attempt: DeliveryAttempt,
): void {
  tell('oncekey:delivery', () => ({
    consumer,
    eventId: item.event.id,
    type: item.event.type,
    attempt: attemptOf(item),
    verdict: verdict.kind,
    delayMs: verdict.kind === 'retrying' ? verdict.delayMs : 0,
    durationMs: attempt.durationMs,
    error,
  }))
}
