import { CLOSING_MS, endsWithin, OncekeyError } from '@oncekey/core'
import type { Consumer } from '../consumer/consumer.ts'
import { type Dispatcher, dispatcher } from './dispatcher.ts'
import { finish } from './finish.ts'
import { unsure } from './held-keys.ts'
import { failedDelivery, type Item, type ItemEnd, type KeySequence } from './item.ts'
import { lease, leaseLoop } from './leasing.ts'
import { readLoop, readToEvents } from './reading.ts'
import type { ResolvedRelayOptions } from './relay-options.ts'
import {
  delayAfterFailures,
  freeBytes,
  type RunnerState,
  report,
  runnerState,
} from './runner-state.ts'
import { runSuspect, type SuspectTurns } from './suspects.ts'
import { takeDue } from './taking-due.ts'
import { write, writeAll, writeLoop } from './writing.ts'

/**
 * Runs one consumer in one relay. The diagrams show the states of slots, events and deliveries.
 *
 * A slot, as this relay sees it:
 *
 *     free ──lease──> held ──share shrank──> leaving ──all has ended, released──> free
 *                      │                        │
 *                      └──── epoch moved on ────┴──> lost: its outcomes are dropped
 *
 * An event in a slot that is held:
 *
 *     read ──> queued ──> under way ──┬── done ───────────────┐
 *                │                    └── failed ─────────────┤ the cursor passes it; what failed
 *                └── ordered, and its key is held ────────────┘ goes on file in the same commit
 *
 * A delivery, which is an event on file, is tried until it is done or dead:
 *
 *   retrying ──due: a start is counted──> under way ──┬── done: off file
 *       ^                                             ├── failed: an attempt is counted ─┬──> dead
 *       ├─────────────────────────────────────────────┼──────────────────────────────────┘
 *       └── the process died: started, not ended ─────┘   permanent, exhausted, poison
 *
 * Three loops do this. The first reads events and starts them. The second writes, one write at a
 * time, so that rows are never locked in two orders. The third renews the leases, so that no slow
 * write delays them. Reading continues from the last position read, not from the cursor, so a slow
 * event holds up the cursor of its slot and nothing else, until `slotLimit` entries wait behind it:
 * what has ended there stays an entry until the cursor passes it.
 */
export interface ConsumerRunner {
  /** Runs one round to its end and returns how many events were handled. */
  round(): Promise<number>
  start(): void
  /** Makes the runner read at once, because there may be new events. */
  wake(): void
  /** Makes the runner look for due deliveries at once, because some may have been redriven. */
  retry(): void
  /** Pauses or resumes: while paused, nothing is started. */
  pause(isPaused: boolean): void
  stop(timeoutMs: number): Promise<void>
}

export function consumerRunner<Tx>(of: {
  readonly relay: string
  readonly options: ResolvedRelayOptions<Tx>
  readonly consumer: Consumer<Tx>
  /** The order of suspects, shared by all consumers of the relay. */
  readonly turns: SuspectTurns
}): ConsumerRunner {
  const { relay, options, consumer, turns } = of
  const dispatch: Dispatcher = dispatcher({
    log: options.log,
    consumer,
    mayStart: (): boolean =>
      !state.paused && !state.stopping && performance.now() < state.leasedUntil,
    ended: (item, end) => ended(state, item, end),
    dropped: (item) => dropped(state, item),
    unsure: (slot, key) => unsure(state, slot, key),
    suspected(item, ticket, run, giveUp) {
      const suspect = { item, ticket, run, giveUp }
      runSuspect(state, turns, suspect).catch((error) => report(state, 'advance', error))
    },
  })
  const state: RunnerState<Tx> = runnerState({ relay, options, consumer, dispatch })
  let loops: Promise<unknown> = Promise.resolve()
  let renewing: Promise<unknown> = loops
  /** The last writes of a stop that did not wait for them any longer. */
  let closing: Promise<unknown> = loops
  /** The number of the last start or stop. */
  let periods = 0
  const needsLeases = (): boolean => state.running || state.draining
  /**
   * Resolves when the log has answered all that was asked before the last stop. What is answered
   * later would be carried out in the name of this relay, but for slots and loops that are others
   * by then.
   */
  const answered = (): Promise<unknown> => Promise.all([loops, renewing, closing])

  return {
    async round() {
      const { stops } = state
      const isStopped = (): boolean => state.stops !== stops
      if (!(await endsWithin(answered(), options.leaseMs))) throw unanswered()
      if (isStopped()) return 0
      state.handled = 0
      state.stopping = false
      state.silent = false
      let isOver = false
      const leased = lease(state)
      const begun = leased.then(() => beginRound(state, isStopped))
      // A stop waits for these: it could not give back what is taken after it.
      loops = begun.catch(() => {})
      renewing = leased.then(
        () => leaseLoop(state, () => !isOver && !state.stopping),
        () => {},
      )
      const failures: unknown[] = []
      let first: { readonly error: unknown } | undefined
      const failed = (error: unknown): void => {
        failures.push(error)
        // What fails after a stop may fail because the pool was ended.
        if (!isStopped()) first ??= { error }
      }
      await begun.catch(failed)
      await endOfRound(state, failures, failed)
      if (failures.length === 0 || state.unwritten > 0) await writeAll(state, true).catch(failed)
      isOver = true
      state.toLease.wake()
      await renewing
      if (first !== undefined) throw first.error
      return state.handled
    },

    start() {
      periods += 1
      const period = periods
      state.silent = false
      const before = answered()
      void reportUnanswered(state, before, () => period === periods)
      loops = before.then(() => {
        if (period !== periods) return
        state.running = true
        state.stopping = false
        // The consumer may have been retired since the last start, which makes it anew.
        state.subscribed = false
        renewing = leaseLoop(state, needsLeases)
        return Promise.all([readLoop(state), writeLoop(state)])
      })
    },

    wake() {
      state.toRead.wake()
    },

    retry() {
      state.dueAt = 0
      state.toWrite.wake()
    },

    pause(isPaused) {
      if (state.paused === isPaused) return
      state.paused = isPaused
      if (isPaused) return
      // A round starts what an earlier one has left once it has renewed its leases.
      if (state.running) dispatch.pump()
      state.toRead.wake()
      state.dueAt = 0
      state.toWrite.wake()
    },

    async stop(timeoutMs) {
      periods += 1
      state.running = false
      state.draining = true
      state.stops += 1
      state.toRead.wake()
      state.toWrite.wake()
      state.toLease.wake()
      const until = performance.now() + timeoutMs
      await endsWithin(loops, timeoutMs + CLOSING_MS)
      const restMs = Math.max(0, until - performance.now())
      const finished = await finish(state, restMs, () => renewing)
      closing = Promise.all([closing, finished.closing])
    },
  }
}

function unanswered(): OncekeyError {
  return new OncekeyError(
    'store-unavailable',
    'The log has not answered what this relay asked before it was stopped.',
  )
}

/** Reports that a start waits, if the log does not answer for the length of a lease. */
async function reportUnanswered<Tx>(
  state: RunnerState<Tx>,
  before: Promise<unknown>,
  isOn: () => boolean,
): Promise<void> {
  const isAnswered = await endsWithin(before, state.options.leaseMs, { unref: true })
  if (!isAnswered && isOn()) report(state, 'lease', unanswered())
}

function ended<Tx>(state: RunnerState<Tx>, item: Item, end: ItemEnd | undefined): void {
  if (state.stopping) return
  state.handled += 1
  state.work.ended += 1
  if (end?.attempt) {
    const { name, message } = end.attempt.error
    state.work.lastError = { name, message, eventId: item.event.id, at: new Date() }
  }
  if (item.kind === 'entry') {
    item.entry.isEnded = true
    item.entry.event = undefined
    if (end === undefined) freeBytes(state, item.entry)
    else item.entry.failed = failedDelivery(item.event, end)
  } else {
    state.underWay.delete(item.due.id)
    state.ended.push({
      slot: item.slot,
      due: item.due,
      verdict: end?.verdict ?? { kind: 'done' },
      attempt: end?.attempt ?? null,
    })
  }
  state.unwritten += 1
  // If a quarter of maxInFlight has ended, writes at once, so that reading does not run out of
  // room. Otherwise all items that end within advanceEveryMs share one write.
  if (state.unwritten === Math.ceil(state.options.maxInFlight / 4)) state.writeAt = 0
  // A failed event stays in memory until it is on file.
  else if (end !== undefined && state.inFlightBytes >= state.options.maxInFlightBytes)
    state.writeAt = 0
  // The next delivery of its ordering key waits until this outcome is on record.
  else if (item.kind === 'due' && state.consumer.ordered && isOver(item.sequence)) state.writeAt = 0
  else if (state.writeAt === Number.POSITIVE_INFINITY) {
    state.writeAt = performance.now() + state.options.advanceEveryMs
  } else return
  state.toWrite.wake()
}

function isOver({ left, isBroken }: KeySequence): boolean {
  return left === 0 || isBroken
}

/**
 * Drops a delivery that was not tried. It stays on file unchanged, because no start of it was
 * counted.
 */
function dropped<Tx>(state: RunnerState<Tx>, item: Item): void {
  if (item.kind !== 'due' || !state.underWay.delete(item.due.id)) return
  item.slot.retrying -= 1
}

/** Takes what is due and reads new events, until there are some, and starts all of them. */
async function beginRound<Tx>(state: RunnerState<Tx>, isStopped: () => boolean): Promise<void> {
  if (isStopped()) return
  await takeDue(state)
  if (isStopped()) return
  await readToEvents(state, isStopped)
  state.dispatch.pump()
}

/**
 * Waits until all items have ended, however long that takes, and writes meanwhile. What fails is
 * noted, and does not end the wait: whoever calls the next round counts on it that no attempt of
 * this one is under way. If the leases end as well, or while the consumer is paused, nothing more
 * starts, so what has not begun is not waited for.
 */
async function endOfRound<Tx>(
  state: RunnerState<Tx>,
  failures: readonly unknown[],
  failed: (error: unknown) => void,
): Promise<void> {
  const { dispatch, options } = state
  const idle = dispatch.idle()
  const everyMs = options.leaseMs / 3
  let writeAt = performance.now() + everyMs
  let sureAt = 0
  for (;;) {
    const untilMs = Math.max(1, writeAt - performance.now())
    if (await endsWithin(idle, Math.min(untilMs, SURE_AFTER_MS))) return
    const now = performance.now()
    const startsNothing = state.paused || (failures.length > 0 && now >= state.leasedUntil)
    if (startsNothing && dispatch.underWay() === 0) return
    const isDue = now >= writeAt
    if (isDue) writeAt += everyMs
    if (!isDue && (state.unsure.size === 0 || now < sureAt)) continue
    try {
      await write(state, false)
    } catch (error) {
      failed(error)
      sureAt = performance.now() + delayAfterFailures(failures.length)
    }
  }
}

/**
 * The longest wait of an unsure key (see `held-keys.ts`) during a round, where no loop writes.
 * Milliseconds.
 */
const SURE_AFTER_MS = 20
