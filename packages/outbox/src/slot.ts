import {
  bytesOfEvent,
  type FailedDelivery,
  type HeldSlot,
  type Position,
  type TakenSlot,
} from '@oncekey/core'

/**
 * The place of an event that was read and is not passed yet. Not the event: thousands that have ended
 * wait for their cursor to be written, and what was theirs would be copied by every collection of garbage.
 */
export interface Entry {
  readonly position: Position
  settled: boolean
  failed: FailedDelivery | undefined
  /** What its event takes up for as long as it is kept: until it is done, or on file. */
  bytes: number
}

/**
 * A slot that this relay holds. What was read stands in `entries` in the order of the log; the cursor
 * may pass what is settled from the front, so one slow event holds the cursor of its slot and nothing
 * else.
 */
export interface Slot extends HeldSlot {
  /** Where to read on. */
  readAt: Position
  /** Where the cursor stands, or will stand once the write under way is done. */
  passed: Position
  readonly entries: Entry[]
  /** Somebody else's by now: nothing of it counts any more. */
  lost: boolean
  /** To be given up: nothing more is read. */
  leaving: boolean
  /** How often in a row holders went without a word; 0 once that is known not to be an event's doing. */
  crashes: number
  /** Once this has been passed, nothing is ahead that was under way at the last crash. */
  calmAfter: Entry | 'now' | undefined
  /** How many were read since it was taken. */
  read: number
  /** Ordered consumers: how many deliveries of each ordering key stand in the way of the next. */
  readonly held: Map<string, number>
  /** Deliveries of it that are being tried. */
  retrying: number
}

export function slotOf({ slot, epoch, position, crashes }: TakenSlot): Slot {
  return {
    slot,
    epoch,
    readAt: position,
    passed: position,
    entries: [],
    lost: false,
    leaving: false,
    crashes,
    calmAfter: undefined,
    read: 0,
    held: new Map(),
    retrying: 0,
  }
}

/** What the cursor of a slot may be moved past now. */
export interface Progress {
  readonly slot: Slot
  readonly position: Position
  readonly calm: boolean
  readonly failed: readonly FailedDelivery[]
  readonly entries: number
  /** Of what failed. */
  readonly bytes: number
}

/** Looks at the front of the slot; takes nothing away before it is written. `idle`: also where nothing was read. */
export function progressOf(slot: Slot, idle: boolean, maxBytes: number): Progress | undefined {
  const { entries } = slot
  const failed: FailedDelivery[] = []
  let settled = 0
  let calm = slot.calmAfter === 'now'
  let bytes = 0
  for (const entry of entries) {
    // What goes on file is bounded by bytes: one statement carries it.
    if (!entry.settled || bytes >= maxBytes) break
    bytes += entry.failed === undefined ? 0 : bytesOfFailed(entry.failed)
    settled += 1
    if (entry.failed !== undefined) failed.push(entry.failed)
    if (entry === slot.calmAfter) calm = true
  }
  const position =
    settled === entries.length ? slot.readAt : (entries[settled - 1]?.position ?? slot.passed)
  const moved = settled > 0 || (idle && position !== slot.passed) || calm
  return moved ? { slot, position, calm, failed, entries: settled, bytes } : undefined
}

/** About how much a failure takes up in a statement: its event, and what was tried. */
export function bytesOfFailed({ event, attempt }: FailedDelivery): number {
  const { message = '', stack = '' } = attempt?.error ?? {}
  return bytesOfEvent(event) + message.length + (stack?.length ?? 0)
}

/** The write is done. */
export function passed({ slot, position, calm, entries }: Progress): void {
  slot.entries.splice(0, entries)
  slot.passed = position
  if (calm) {
    slot.calmAfter = undefined
    slot.crashes = 0
  }
}

/** One more of an ordering key, or one less, that the next must wait for. */
export function hold(slot: Slot, orderingKey: string, by: 1 | -1): void {
  const count = (slot.held.get(orderingKey) ?? 0) + by
  if (count > 0) slot.held.set(orderingKey, count)
  else slot.held.delete(orderingKey)
}
