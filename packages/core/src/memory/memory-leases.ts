import type { EventLog } from '../contracts/event-log.ts'
import {
  type HeldSlot,
  type Lease,
  type LeaseRequest,
  SLOTS,
  type TakenSlot,
} from '../contracts/slots.ts'
import type { Cursor, Subscriber } from './memory-cursors.ts'

/** Which relay holds which slot of a consumer, and until when. */
export interface MemoryLeases {
  /** Renews what a relay holds of a consumer, and gives it its share of what is free. */
  lease(subscriber: Subscriber, request: LeaseRequest): Lease
  /** Frees slots at once: those named, and all of a relay that is leaving. */
  release(subscriber: Subscriber, request: Parameters<EventLog['release']>[0]): void
  /** The cursor of a slot, unless the lease that the epoch belongs to was lost. */
  heldCursor(consumer: string, held: HeldSlot): Cursor | undefined
  /** Those of these slots whose leases were not lost. */
  heldOf(consumer: string, asked: readonly HeldSlot[]): Set<number>
}

export function memoryLeases(
  find: (consumer: string) => Subscriber | undefined,
  now: () => number,
): MemoryLeases {
  /**
   * The last epoch. One counter for all consumers, so that a slot taken by a later consumer of the
   * same name never repeats an epoch.
   */
  let epochs = 0

  function lease(
    { cursors, relays }: Subscriber,
    { relay, leaseMs, holding, waiting = false }: LeaseRequest,
  ): Lease {
    const time = now()
    if (waiting) relays.delete(relay)
    else relays.set(relay, time + leaseMs)
    for (const [name, until] of relays) if (until < time) relays.delete(name)
    const share = waiting ? 0 : Math.ceil(SLOTS / relays.size)

    const lost: number[] = []
    const kept = new Set<number>()
    for (const { slot, epoch } of holding) {
      const cursor = cursors[slot]
      if (cursor?.relay !== relay || String(cursor.epoch) !== epoch) lost.push(slot)
      else {
        cursor.leaseUntil = time + leaseMs
        kept.add(slot)
      }
    }
    const taken: TakenSlot[] = []
    for (const [slot, cursor] of cursors.entries()) {
      if (kept.size + taken.length >= share) break
      if (kept.has(slot)) continue
      const isOthers = cursor.relay !== undefined && cursor.relay !== relay
      if (isOthers && cursor.leaseUntil >= time) continue
      if (isOthers) cursor.crashes += 1
      cursor.relay = relay
      cursor.leaseUntil = time + leaseMs
      epochs += 1
      cursor.epoch = epochs
      const { epoch, at, crashes, suspect = null } = cursor
      taken.push({ slot, epoch: String(epoch), position: String(at), crashes, suspect })
    }
    return { share, relays: relays.size, taken, lost }
  }

  function release(
    { cursors, relays }: Subscriber,
    { consumer, relay, slots, leaving }: Parameters<EventLog['release']>[0],
  ): void {
    const named = heldOf(consumer, slots)
    for (const [slot, cursor] of cursors.entries()) {
      if (!named.has(slot) && !(leaving && cursor.relay === relay)) continue
      cursor.relay = undefined
      cursor.leaseUntil = 0
    }
    if (leaving) relays.delete(relay)
  }

  function heldCursor(consumer: string, { slot, epoch }: HeldSlot): Cursor | undefined {
    const cursor = find(consumer)?.cursors[slot]
    return String(cursor?.epoch) === epoch ? cursor : undefined
  }

  function heldOf(consumer: string, asked: readonly HeldSlot[]): Set<number> {
    const held = asked.filter((each) => heldCursor(consumer, each) !== undefined)
    return new Set(held.map(({ slot }) => slot))
  }

  return { lease, release, heldCursor, heldOf }
}
