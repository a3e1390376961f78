import {
  bytesOfEvent,
  type DueDelivery,
  type FailedDelivery,
  type HeldSlot,
  type LoggedEvent,
  type Position,
  type TakenSlot,
} from '@oncekey/core'

/**
 * An event that was read and that the cursor has not passed. Once it has ended, its entry does not
 * contain it: thousands of entries wait until their cursor is written, and the garbage collector
 * would copy all of their events.
 */
export interface Entry {
  readonly position: Position
  /** Until the event has ended. */
  event: LoggedEvent | undefined
  isEnded: boolean
  failed: FailedDelivery | undefined
  /** The size of the event while it is in memory; 0 once it is done or on file. */
  bytes: number
}

/**
 * A slot that this relay holds. `entries` has what was read, in the order of the log. The cursor
 * passes the ended entries at the front, so one slow event holds up the cursor of its slot, and
 * its reading once `slotLimit` entries wait behind it.
 */
export interface Slot extends HeldSlot {
  /** The position from which to read next. */
  readAt: Position
  /**
   * The position of the cursor. While a write is under way, the position that the write will set.
   */
  passed: Position
  readonly entries: Entry[]
  /** Whether this relay has lost the slot. Its outcomes for the slot are then dropped. */
  lost: boolean
  /** Whether the slot is to be released. Nothing more is then read from it. */
  leaving: boolean
  /** Whether the log is being told to release the slot. It may be another relay's by now. */
  releasing: boolean
  /**
   * How many holders in a row vanished without releasing the slot; 0 once every event that can have
   * been the cause has been passed.
   */
  crashes: number
  /**
   * The last entry that may have been under way at the last crash. When the cursor passes it,
   * `crashes` is reset.
   */
  calmAfter: Entry | 'now' | undefined
  /** How many events this relay has read from the slot since it took it. */
  read: number
  /**
   * For ordered consumers: how many deliveries of each ordering key are on file, which hold up the
   * key's next event. 0 means that this relay knows of none and the log has not confirmed it yet:
   * see `held-keys.ts`.
   */
  readonly held: Map<string, number>
  /**
   * For ordered consumers: set if the last holder may have died of a delivery on file. Then each
   * key's deliveries are claimed one at a time, until none is left on file.
   */
  careful: boolean
  /** How many deliveries of the slot are claimed and not yet recorded. */
  retrying: number
  /**
   * How many counted starts of one event this process may have caused here without a recorded end:
   * by a claim whose reply was lost, or because it lost the slot with attempts under way. No
   * process died of these starts, since this one lives.
   */
  unheard: number
  /**
   * How many times in a row, before it took the slot this time, this process lost the slot without
   * having passed any of the events that it had begun.
   */
  stuck: number
  /** Whether the cursor has passed an event since this relay took the slot. */
  hasPassed: boolean
  /** The event whose start an earlier holder counted last; `undefined` if the log does not say. */
  readonly suspect: string | null | undefined
  /**
   * Resolves when no suspect of the slot is under way. The slot has only one counter for starts, so
   * only one suspect can run at a time.
   */
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
    releasing: false,
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
 * Whether a process may have died of one of the slot's new events. If the server died of it, all
 * leases were lost, which counts too. If so, the start of each new event is counted.
 */
export function hasSuspects({ crashes, stuck }: Slot): boolean {
  return crashes >= 2 || stuck >= 3
}

/** How many starts of the delivery, this one included, have no recorded end. */
export function startsOf({ unheard }: Slot, { starts, attempts }: DueDelivery): number {
  return Math.max(1, starts - attempts - unheard)
}

/**
 * How far a slot's cursor may move at this point, and which failed events the same write must file.
 */
export interface Progress {
  readonly slot: Slot
  readonly position: Position
  readonly calm: boolean
  readonly failed: readonly FailedDelivery[]
  readonly entries: number
  /** The size of the events in `failed`. Bytes. */
  readonly bytes: number
}

/**
 * Computes the progress from the ended entries at the front of the slot. It removes none; `passed`
 * does that after the write. With `idle`, the cursor also moves over positions without an event for
 * this consumer.
 */
export function progressOf(slot: Slot, idle: boolean, maxBytes: number): Progress | undefined {
  const { entries } = slot
  const failed: FailedDelivery[] = []
  let count = 0
  let calm = slot.calmAfter === 'now'
  let bytes = 0
  for (const entry of entries) {
    // One statement files all these events, so their size is limited.
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

/** About how many bytes a failed event adds to a statement, with its attempt. */
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

/** Counts one more, or one less, delivery of an ordering key that is on file. */
export function hold(slot: Slot, orderingKey: string, by: 1 | -1): void {
  slot.held.set(orderingKey, Math.max(0, (slot.held.get(orderingKey) ?? 0) + by))
}
