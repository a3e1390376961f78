import {
  type DeliveryAttempt,
  type DeliveryVerdict,
  type DueDelivery,
  type EventLog,
  normalTypes,
  OncekeyError,
  type RelayErrorMessage,
  type Standing,
  tell,
  warnOnce,
} from '@oncekey/core'
import type { Consumer } from './consumer.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { ResolvedRelayOptions } from './relay-options.ts'
import type { Entry, Slot } from './slot.ts'
import { type Pause, pause } from './wake.ts'

/** What the parts of one consumer's runner share: see `consumer-runner.ts`. Times are of `performance.now()`. */
export interface RunnerState<Tx> {
  readonly relay: string
  readonly options: ResolvedRelayOptions<Tx>
  readonly log: EventLog<Tx>
  readonly consumer: Consumer<Tx>
  readonly dispatch: Dispatcher
  /** A slot that has so much read and not passed is left out, for others to go on. */
  readonly slotLimit: number
  /** Those that are held, by number. */
  readonly slots: Map<number, Slot>
  readonly toRead: Pause
  readonly toWrite: Pause
  /** Deliveries that are being tried. */
  readonly underWay: Map<string, DueDelivery>
  /** Deliveries that have ended and are not written yet. */
  settled: SettledDelivery[]
  /** Called when all that has ended so far is written. */
  onWritten: (() => void)[]
  subscribed: boolean
  /** What is to be read, and by whom: other releases of the consumer may want other types. */
  standing: Standing
  running: boolean
  /** Nothing that ends now counts. */
  stopping: boolean
  /** Entries of all slots. */
  inFlight: number
  /** What their events take up that are still kept. */
  inFlightBytes: number
  handled: number
  /** How many have ended since the last write. */
  unwritten: number
  writeAt: number
  leaseAt: number
  leasedUntil: number
  dueAt: number
  /** When cursors are moved that have nothing to pass but emptiness. */
  idleAt: number
  /** Whether anything was read or passed over since they were moved last. */
  hasPassed: boolean
  /** When they are moved although nothing was. */
  emptyAt: number
}

export interface SettledDelivery {
  readonly slot: Slot
  readonly due: DueDelivery
  readonly verdict: DeliveryVerdict | { readonly kind: 'done' }
  readonly attempt: DeliveryAttempt | null
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
    toRead: pause(),
    toWrite: pause(),
    underWay: new Map(),
    settled: [],
    onWritten: [],
    subscribed: false,
    standing: { wanted: normalTypes(of.consumer.types), reads: true, alone: true },
    running: false,
    stopping: false,
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

/** The slot is somebody else's, or nobody's: forgets all that was read of it. */
export function lose<Tx>(state: RunnerState<Tx>, slot: Slot | undefined): void {
  if (slot === undefined || slot.lost) return
  slot.lost = true
  state.inFlight -= slot.entries.length
  for (const entry of slot.entries) letGo(state, entry)
  if (state.slots.get(slot.slot) === slot) state.slots.delete(slot.slot)
  state.settled = state.settled.filter((each) => each.slot !== slot)
  for (const [id, { event }] of state.underWay) {
    if (event.slot === slot.slot) state.underWay.delete(id)
  }
  state.toRead.wake()
}

/** The entry's event is not kept any more: there may be room for others. */
export function letGo<Tx>(state: RunnerState<Tx>, entry: Entry): void {
  const { maxInFlightBytes } = state.options
  const wasFull = state.inFlightBytes >= maxInFlightBytes
  state.inFlightBytes -= entry.bytes
  entry.bytes = 0
  if (wasFull && state.inFlightBytes < maxInFlightBytes) state.toRead.wake()
}

/** Says that something went wrong, and will be tried again. */
export function report<Tx>(
  state: RunnerState<Tx>,
  during: RelayErrorMessage['during'],
  error: unknown,
): void {
  if (error instanceof OncekeyError && error.code === 'subscription-changed') {
    // Another release has come or gone: what this one may do is asked with the next lease, at once.
    state.leaseAt = 0
    state.toWrite.wake()
    return
  }
  if (error instanceof OncekeyError && error.code === 'log-restored') {
    for (const slot of [...state.slots.values()]) lose(state, slot)
    state.leaseAt = 0
    state.toWrite.wake()
  }
  const { relay, consumer } = state
  const heard = tell('oncekey:relay-error', () => ({
    relay,
    consumer: consumer.name,
    during,
    error,
  }))
  if (heard) return
  const message = error instanceof Error ? error.message : String(error)
  warnOnce(
    `relay-error:${consumer.name}:${during}:${message}`,
    `The relay failed in its ${during} for consumer "${consumer.name}" and goes on trying: ${message}. ` +
      'Said once; subscribe to the diagnostics channel "oncekey:relay-error" for all.',
  )
}

/** How long to wait after so many failures in a row. Milliseconds. */
export function delayAfterFailures(failures: number): number {
  return Math.min(5_000, 50 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2)
}
