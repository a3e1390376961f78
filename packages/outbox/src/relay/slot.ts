import {
  bytesOfEvent,
  type DueDelivery,
  type FailedDelivery,
  type HeldSlot,
  type Position,
  type TakenSlot,
} from '@oncekey/core'

/**
 * An event that was read and that the cursor has not passed, without the event itself: thousands of
 * entries wait for their cursor to be written, and the garbage collector would copy every event
 * they kept.
 */
export interface Entry {
  readonly position: Position
  isEnded: boolean
  failed: FailedDelivery | undefined
  /** The size of its event while that is in memory; 0 once it is done or on file. */
  bytes: number
}

/**
 * A slot that this relay holds. `entries` has what was read, in the order of the log. The cursor
 * passes the ended entries at the front, so one slow event holds up the cursor of its slot and
 * nothing else.
 */
export interface Slot extends HeldSlot {
  /** The position from which to read next. */
  readAt: Position
  /** The position of the cursor, after the write under way if there is one. */
  passed: Position
  readonly entries: Entry[]
  /** Another relay holds it now, or nobody: this relay's outcomes for it are dropped. */
  lost: boolean
  /** Whether the slot is to be released: nothing more is read from it. */
  leaving: boolean
  /**
   * How many holders in a row vanished without a release; 0 once no event can have been the cause.
   */
  crashes: number
  /**
   * The last entry that may have been under way at the last crash: `crashes` ends when it is
   * passed.
   */
  calmAfter: Entry | 'now' | undefined
  /** How many events this relay has read from the slot since it took it. */
  read: number
  /**
   * Ordered consumers: how many deliveries are on file of each ordering key, which hold up its next
   * event. 0 means that this relay knows of none and the log has not confirmed it: see
   * `held-keys.ts`.
   */
  readonly held: Map<string, number>
  /**
   * Ordered consumers: the last holder may have died of a delivery on file. Each key's deliveries
   * are claimed one at a time until none is left on file.
   */
  careful: boolean
  /** How many of its deliveries are claimed and not yet recorded. */
  retrying: number
  /**
   * How many starts of one event this process may have counted here without a recorded end: a claim
   * whose answer was lost, or a slot that was lost with attempts under way. No process died of
   * these, since this one lives.
   */
  unheard: number
  /**
   * How many times in a row this process lost the slot, before this time, without having passed any
   * of the events that it had begun.
   */
  stuck: number
  /** Whether the cursor has passed an event since this relay took the slot. */
  hasPassed: boolean
  /** The event whose start an earlier holder counted last; `undefined` if the log does not say. */
  readonly suspect: string | null | undefined
  /** Ends when no suspect of the slot is under way: it has one count of starts. */
  turn: Promise<void>
}

export function slotOf({ slot, epoch, position, crashes, suspect }: TakenSlot): Slot {
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
    careful: crashes > 0,
    retrying: 0,
    unheard: 0,
    stuck: 0,
    hasPassed: false,
    suspect,
    turn: Promise.resolve(),
  }
}

/**
 * Whether a process may have died of one of its new events, or the server, whose end is that of
 * every lease: then each has its start counted.
 */
export function hasSuspects({ crashes, stuck }: Slot): boolean {
  return crashes >= 2 || stuck >= 3
}

/** How many starts of the delivery, this one included, have no recorded end. */
export function startsOf({ unheard }: Slot, { starts, attempts }: DueDelivery): number {
  return Math.max(1, starts - attempts - unheard)
}

/** How far the cursor of a slot may move now, and what must go on file in the same write. */
export interface Progress {
  readonly slot: Slot
  readonly position: Position
  readonly calm: boolean
  readonly failed: readonly FailedDelivery[]
  readonly entries: number
  /** The size of `failed`. */
  readonly bytes: number
}

/**
 * Looks at the ended entries at the front of the slot and removes none: `passed` does, after the
 * write. With `idle` the cursor also moves over positions that held nothing for this consumer.
 */
export function progressOf(slot: Slot, idle: boolean, maxBytes: number): Progress | undefined {
  const { entries } = slot
  const failed: FailedDelivery[] = []
  let count = 0
  let calm = slot.calmAfter === 'now'
  let bytes = 0
  for (const entry of entries) {
    // One statement carries all that goes on file, so that is bounded in bytes.
    if (!entry.isEnded || bytes >= maxBytes) break
    bytes += entry.failed === undefined ? 0 : bytesOfFailed(entry.failed)
    count += 1
    if (entry.failed !== undefined) failed.push(entry.failed)
    if (entry === slot.calmAfter) calm = true
  }
  const position =
    count === entries.length ? slot.readAt : (entries[count - 1]?.position ?? slot.passed)
  const moved = count > 0 || (idle && position !== slot.passed) || calm
  return moved ? { slot, position, calm, failed, entries: count, bytes } : undefined
}

/** About how many bytes a failure adds to a statement: its event and its attempt. */
export function bytesOfFailed({ event, attempt }: FailedDelivery): number {
  return bytesOfEvent(event) + bytesOfAttempt(attempt)
}

/** About how many bytes an attempt adds to a statement. */
export function bytesOfAttempt(attempt: FailedDelivery['attempt']): number {
  const { message = '', stack = '' } = attempt?.error ?? {}
  return message.length + (stack?.length ?? 0)
}

/** Removes the entries that a write has passed. */
export function passed({ slot, position, calm, entries }: Progress): void {
  slot.entries.splice(0, entries)
  slot.hasPassed ||= entries > 0
  slot.passed = position
  if (calm) {
    slot.calmAfter = undefined
    slot.crashes = 0
    slot.stuck = 0
  }
}

/** Counts one delivery more, or one less, on file of an ordering key. */
export function hold(slot: Slot, orderingKey: string, by: 1 | -1): void {
  slot.held.set(orderingKey, Math.max(0, (slot.held.get(orderingKey) ?? 0) + by))
}
