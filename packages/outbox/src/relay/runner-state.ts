import {
  type DeliveryAttempt,
  type DeliveryVerdict,
  type DueDelivery,
  type EventLog,
  type LastError,
  messageOf,
  normalTypes,
  OncekeyError,
  type RelayErrorMessage,
  type Standing,
  tell,
  warnOnce,
} from '@oncekey/core'
import type { Consumer } from '../consumer/consumer.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { ResolvedRelayOptions } from './relay-options.ts'
import { type WakeableWait, wakeableWait } from './signals/wake.ts'
import { type Entry, hasSuspects, type Slot } from './slot.ts'

/**
 * The state that `consumer-runner.ts` and its parts share. Fields named `…At` and `…Until` are
 * times of `performance.now()`.
 */
export interface RunnerState<Tx> {
  readonly relay: string
  readonly options: ResolvedRelayOptions<Tx>
  readonly log: EventLog<Tx>
  readonly consumer: Consumer<Tx>
  readonly dispatch: Dispatcher
  /**
   * If a slot has this many entries, it is not read until its cursor moves, so that other slots get
   * their turn.
   */
  readonly slotLimit: number
  /** The slots that this relay holds, by number. */
  readonly slots: Map<number, Slot>
  /**
   * For slots that this relay has lost, by number: the value of `unheard`, which is needed if the
   * relay takes the slot again.
   */
  readonly unheard: Map<number, number>
  /** For slots that this relay has lost, by number: the value of `stuck`. */
  readonly stuck: Map<number, number>
  readonly toRead: WakeableWait
  readonly toWrite: WakeableWait
  readonly toLease: WakeableWait
  /** Claimed deliveries that have not ended, by id. */
  readonly underWay: Map<string, DueDelivery>
  /** Deliveries that have ended and whose outcome is not recorded yet. */
  ended: EndedDelivery[]
  /**
   * For ordered consumers: keys about which the relay must ask the log, with their slots. See
   * `held-keys.ts`.
   */
  readonly unsure: Map<string, Slot>
  /**
   * Slots with a suspect whose end is not on record, each with the start that is to be taken back
   * if the relay stops.
   */
  readonly suspects: Map<Slot, CountedStart>
  /** Functions to call when everything that has ended so far is on record. */
  onWritten: (() => void)[]
  /** Resolves when the write that is under way has ended, and all that wait for it. */
  lastWrite: Promise<unknown>
  subscribed: boolean
  /**
   * Which types to read, and whether to read at all. Both depend on the relays of other releases,
   * which may take other types.
   */
  standing: Standing
  /** Whether an operator has paused the consumer, so that nothing is started. */
  paused: boolean
  /** How many items have ended since the last report, and the newest failure. */
  readonly work: {
    ended: number
    reportedAt: number
    isZero: boolean
    lastError: LastError | null
  }
  running: boolean
  /**
   * Whether the runner is stopping and waits for its last attempts: it keeps the slots that these
   * need, and takes no others.
   */
  draining: boolean
  /** Whether the runner has stopped waiting for attempts: outcomes that come later are dropped. */
  stopping: boolean
  /**
   * Whether the last stop is over. What is still under way is then not reported: the pool may have
   * been ended.
   */
  silent: boolean
  /** How often the runner was stopped: a lease that was asked for before is not used. */
  stops: number
  /** How many entries all slots have. */
  inFlight: number
  /** The size of those entries' events that are still in memory. */
  inFlightBytes: number
  handled: number
  /** How many items have ended since the last write. */
  unwritten: number
  writeAt: number
  leaseAt: number
  leasedUntil: number
  dueAt: number
  /** When the cursors next move over positions without an event for this consumer. */
  idleAt: number
  /** Whether events were read or skipped since the last such write. */
  hasPassed: boolean
  /** When the next such write happens even if nothing was read or skipped. */
  emptyAt: number
}

/** A start of an event, and the call that counts it on the cursor of the event's slot. */
export interface CountedStart {
  readonly eventId: string
  readonly counted: Promise<number | 'lost'>
}

export interface EndedDelivery {
  readonly slot: Slot
  readonly due: DueDelivery
  readonly verdict: DeliveryVerdict | { readonly kind: 'done' }
  readonly attempt: DeliveryAttempt | null
  /** For a delivery that is given back untried: see `Settle`. */
  readonly startsLeft?: number
}

export function runnerState<Tx>(of: {
  readonly relay: string
  readonly options: ResolvedRelayOptions<Tx>
  readonly consumer: Consumer<Tx>
  readonly dispatch: Dispatcher
}): RunnerState<Tx> {
  return {
    ...of,
    log: of.options.log,
    slotLimit: Math.max(100, Math.ceil(of.options.maxInFlight / 16)),
    slots: new Map(),
    unheard: new Map(),
    stuck: new Map(),
    toRead: wakeableWait(),
    toWrite: wakeableWait(),
    toLease: wakeableWait(),
    underWay: new Map(),
    ended: [],
    unsure: new Map(),
    suspects: new Map(),
    onWritten: [],
    lastWrite: Promise.resolve(),
    subscribed: false,
    standing: { wanted: normalTypes(of.consumer.types), reads: true, alone: true },
    paused: false,
    work: { ended: 0, reportedAt: performance.now(), isZero: true, lastError: null },
    running: false,
    draining: false,
    stopping: false,
    silent: false,
    stops: 0,
    inFlight: 0,
    inFlightBytes: 0,
    handled: 0,
    unwritten: 0,
    writeAt: Number.POSITIVE_INFINITY,
    leaseAt: 0,
    leasedUntil: 0,
    dueAt: 0,
    idleAt: 0,
    hasPassed: false,
    emptyAt: performance.now() + 600_000,
  }
}

/** Drops a slot that this relay no longer holds, with everything that was read from it. */
export function lose<Tx>(state: RunnerState<Tx>, slot: Slot | undefined): void {
  if (slot === undefined || slot.lost) return
  slot.lost = true
  const isStartCounted = slot.retrying > 0 || (hasSuspects(slot) && slot.entries.length > 0)
  const unheard = slot.unheard + (isStartCounted ? 1 : 0)
  state.unheard.set(slot.slot, Math.min(unheard, MOST_UNHEARD))
  const isStuck = slot.entries.length > 0 && !slot.hasPassed
  state.stuck.set(slot.slot, isStuck ? slot.stuck + 1 : 0)
  state.inFlight -= slot.entries.length
  for (const entry of slot.entries) freeBytes(state, entry)
  if (state.slots.get(slot.slot) === slot) state.slots.delete(slot.slot)
  state.ended = state.ended.filter((each) => each.slot !== slot)
  for (const [id, { event }] of state.underWay) {
    if (event.slot === slot.slot) state.underWay.delete(id)
  }
  for (const [key, its] of state.unsure) {
    if (its !== slot) continue
    state.unsure.delete(key)
    state.dispatch.sure(key)
  }
  state.toRead.wake()
}

/**
 * How often in a row starts are not held against an event because this process lives. An event may
 * crash the database each time it is handled, while the process lives: it has to become poison as
 * well, in the end.
 */
const MOST_UNHEARD = 20

/**
 * Subtracts the size of the entry's event from the bytes in memory, and wakes the reader if that
 * makes room.
 */
export function freeBytes<Tx>(state: RunnerState<Tx>, entry: Entry): void {
  const { maxInFlightBytes } = state.options
  const wasFull = state.inFlightBytes >= maxInFlightBytes
  state.inFlightBytes -= entry.bytes
  entry.bytes = 0
  if (wasFull && state.inFlightBytes < maxInFlightBytes) state.toRead.wake()
}

/** Publishes a failure of the log on `oncekey:relay-error`. The caller tries again. */
export function report<Tx>(
  state: RunnerState<Tx>,
  during: RelayErrorMessage['during'],
  error: unknown,
): void {
  if (error instanceof OncekeyError && error.code === 'subscription-changed') {
    // Another release has started or stopped. Renewing the lease at once shows what this relay may
    // do.
    state.leaseAt = 0
    state.toLease.wake()
    return
  }
  if (error instanceof OncekeyError && error.code === 'log-restored') {
    for (const slot of [...state.slots.values()]) lose(state, slot)
    state.leaseAt = 0
    state.toLease.wake()
  }
  if (state.silent) return
  const { relay, consumer } = state
  const heard = tell('oncekey:relay-error', () => ({
    relay,
    consumer: consumer.name,
    during,
    error,
  }))
  if (heard) return
  const message = messageOf(error)
  warnOnce(
    `relay-error:${consumer.name}:${during}:${message}`,
    `The relay failed in its ${during} for consumer "${consumer.name}" and will retry: ${message.replace(/\.$/, '')}. ` +
      'This is logged once; subscribe to the diagnostics channel "oncekey:relay-error" for all.',
  )
}

/** How long to wait after a number of failures in a row. Milliseconds. */
export function delayAfterFailures(failures: number): number {
  return Math.min(5_000, 50 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2)
}
