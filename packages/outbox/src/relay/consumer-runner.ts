import { endsWithin, OncekeyError } from '@oncekey/core'
import type { Consumer } from '../consumer/consumer.ts'
import { type Dispatcher, dispatcher } from './dispatcher.ts'
import { unsure } from './held-keys.ts'
import { failedDelivery, type Item, type ItemEnd, type KeySequence } from './item.ts'
import { lease, leaseLoop } from './leasing.ts'
import { readLoop, readToEvents } from './reading.ts'
import type { ResolvedRelayOptions } from './relay-options.ts'
import { freeBytes, lose, type RunnerState, report, runnerState } from './runner-state.ts'
import { startsOf } from './slot.ts'
import { runSuspect, type SuspectTurns, takeBackStarts } from './suspects.ts'
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
 * event holds up the cursor of its slot and nothing else.
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
    mayStart: (): boolean => !state.paused && performance.now() < state.leasedUntil,
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

  return {
    async round() {
      state.handled = 0
      state.stopping = false
      await lease(state)
      let isOver = false
      const renewing = leaseLoop(state, () => !isOver && !state.stopping)
      try {
        await takeDue(state)
        await readToEvents(state)
        dispatch.pump()
        await endOfRound(state)
        await writeAll(state, true)
      } finally {
        isOver = true
        state.toLease.wake()
        await renewing
      }
      return state.handled
    },

    start() {
      state.running = true
      state.stopping = false
      // The loops that an earlier stop() ended may still be waiting for a database that does not
      // reply.
      loops = loops.then(() => {
        const renewing = leaseLoop(state, () => state.running)
        return Promise.all([readLoop(state), writeLoop(state), renewing])
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
      dispatch.pump()
      state.toRead.wake()
      state.dueAt = 0
      state.toWrite.wake()
    },

    async stop(timeoutMs) {
      state.running = false
      state.toRead.wake()
      state.toWrite.wake()
      state.toLease.wake()
      const until = performance.now() + timeoutMs
      await endsWithin(loops, timeoutMs + CLOSING_MS)
      await finish(state, Math.max(0, until - performance.now()))
    },
  }
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

/** Waits until all items have ended, however long that takes, and writes meanwhile. */
async function endOfRound<Tx>(state: RunnerState<Tx>): Promise<void> {
  const idle = state.dispatch.idle()
  const everyMs = state.options.leaseMs / 3
  let writeAt = performance.now() + everyMs
  for (;;) {
    const untilMs = Math.max(1, writeAt - performance.now())
    if (await endsWithin(idle, Math.min(untilMs, SURE_AFTER_MS))) return
    const isDue = performance.now() >= writeAt
    if (isDue) writeAt += everyMs
    if (isDue || state.unsure.size > 0) await write(state, false)
  }
}

/**
 * Waits up to `timeoutMs` for attempts to end, and aborts the rest. The next holder of the slot
 * delivers those again, together with the events that were never started. The counted start of an
 * aborted delivery is taken back, because no process died of it. Starts that processes did die of
 * stay on record.
 */
async function finish<Tx>(state: RunnerState<Tx>, timeoutMs: number): Promise<void> {
  const { consumer, dispatch, log, relay, slots } = state
  state.stops += 1
  dispatch.clear()
  dispatch.pump()
  await endsWithin(dispatch.idle(), timeoutMs)
  state.stopping = true
  // A round renews its leases while it waits for its attempts: what such a renewal takes from here
  // on is given back, too.
  state.stops += 1
  giveBack(state)
  const suspects = new Map(state.suspects)
  dispatch.abort(new OncekeyError('lease-lost', 'The relay was stopped before the consumer ended.'))
  const closing = (async () => {
    try {
      await writeAll(state, true)
      await takeBackStarts(state, suspects)
      const held = [...slots.values()].map(({ slot, epoch }) => ({ slot, epoch }))
      await log.release({ consumer: consumer.name, relay, slots: held, leaving: true })
    } catch (error) {
      report(state, 'advance', error)
    }
  })()
  // Does not wait for a database that does not reply: the leases end by themselves.
  const closed = await endsWithin(closing, Math.max(timeoutMs, CLOSING_MS))
  if (!closed) report(state, 'advance', new Error('The log did not answer when the relay stopped.'))
  for (const slot of [...slots.values()]) lose(state, slot)
  state.suspects.clear()
  state.leaseAt = 0
  state.leasedUntil = 0
}

function giveBack<Tx>(state: RunnerState<Tx>): void {
  for (const due of state.underWay.values()) {
    const slot = state.slots.get(due.event.slot)
    // Only the first delivery of a sequence had its start counted, so only the first one's start is
    // taken back.
    if (slot === undefined || due.starts <= due.attempts) continue
    const startsLeft = due.attempts + startsOf(slot, due) - 1
    const verdict = { kind: 'retrying', delayMs: 0 } as const
    state.ended.push({ slot, due, verdict, attempt: null, startsLeft })
  }
  state.underWay.clear()
}

/**
 * The longest wait of an unsure key (see `held-keys.ts`) during a round, where no loop writes.
 * Milliseconds.
 */
const SURE_AFTER_MS = 20

/** The least time that a stopping relay gives its last writes. Milliseconds. */
const CLOSING_MS = 500
