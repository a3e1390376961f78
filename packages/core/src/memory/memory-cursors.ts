import { SLOTS } from '../contracts/slots.ts'
import type { SubscriptionRecord } from '../contracts/subscription-record.ts'
import type { MemoryPause } from './memory-control.ts'

/** A consumer's cursor in one slot. */
export interface Cursor {
  /** The number of the first event that the consumer has not passed. */
  at: number
  relay: string | undefined
  leaseUntil: number
  epoch: number
  crashes: number
  suspect: string | undefined
  starts: number
}

/** A consumer that has subscribed. */
export interface Subscriber {
  readonly cursors: readonly Cursor[]
  readonly relays: Map<string, number>
  record: SubscriptionRecord
  pause: MemoryPause | undefined
}

/** The cursors of a new consumer, one for each slot, all at event number `at`. */
export function newCursors(at: number): readonly Cursor[] {
  return Array.from(
    { length: SLOTS },
    (): Cursor => ({
      at,
      relay: undefined,
      leaseUntil: 0,
      epoch: 0,
      crashes: 0,
      suspect: undefined,
      starts: 0,
    }),
  )
}
