import { endsWithin, OncekeyError } from '@oncekey/core'
import type { Consumer } from './consumer.ts'
import {
  type Dispatcher,
  dispatcher,
  failedDelivery,
  type Item,
  type ItemEnd,
} from './dispatcher.ts'
import { runDubious } from './dubious.ts'
import { lease } from './leasing.ts'
import { absorb, read, readLoop } from './reading.ts'
import type { ResolvedRelayOptions } from './relay-options.ts'
import { takeDue } from './retrying.ts'
import { letGo, lose, type RunnerState, report, runnerState } from './runner-state.ts'
import { write, writeAll, writeLoop } from './writing.ts'

/**
 * One consumer in one relay.
 *
 * A slot, as this relay sees it:
 *
 *     free ──lease──> held ──share shrank──> leaving ──all has ended, released──> free
 *                      │                        │
 *                      └──── epoch moved on ────┴──> lost: nothing of it counts any more
 *
 * An event in a slot that is held:
 *
 *     read ──> queued ──> under way ──┬── done ───────────────┐
 *                │                    └── failed ─────────────┤ the cursor passes it; what failed
 *                └── ordered, and its key is held ────────────┘ goes on file in the same commit
 *
 * What is on file, a delivery, is handed out until it is done or dead:
 *
 *     retrying ──due: a start is counted──> under way ──┬── done: off file
 *         ^                                             ├── failed: an attempt is counted ─┬──> dead
 *         ├─────────────────────────────────────────────┼──────────────────────────────────┘
 *         └── the process died: started, not ended ─────┘   permanent, exhausted, poison
 *
 * There are two loops. One reads and hands out, the other writes, and each write waits for the one
 * before, so that rows are never locked in two orders. Reading goes on from where was read last, not
 * from the cursor: an event that takes long holds up the cursor of its slot, and nothing else.
 */
export interface ConsumerRunner {
  /** One round, to its end: how many were handled. */
  round(): Promise<number>
  start(): void
  /** There may be something to read. */
  wake(): void
  stop(timeoutMs: number): Promise<void>
}

export function consumerRunner<Tx>(of: {
  readonly relay: string
  readonly options: ResolvedRelayOptions<Tx>
  readonly consumer: Consumer<Tx>
  /** Runs one at a time in the whole relay. */
  readonly alone: (work: () => Promise<void>) => Promise<void>
}): ConsumerRunner {
  const { relay, options, consumer, alone } = of
  const dispatch: Dispatcher = dispatcher({
    log: options.log,
    consumer,
    mayStart: (): boolean => performance.now() < state.leasedUntil,
    ended: (item, end) => ended(state, item, end),
    alone: (item, run, giveUp) => void alone(() => runDubious(state, item, run, giveUp)),
  })
  const state: RunnerState<Tx> = runnerState({ relay, options, consumer, dispatch })
  let loops: Promise<unknown> = Promise.resolve()

  return {
    async round() {
      state.handled = 0
      await lease(state)
      await takeDue(state)
      const page = await read(state)
      if (page !== undefined) absorb(state, page)
      dispatch.pump()
      await endOfRound(state)
      await writeAll(state, true)
      return state.handled
    },

    start() {
      state.running = true
      state.stopping = false
      // A stop may have given up on the loops before, which wait for a database that does not answer.
      loops = loops.then(() => Promise.all([readLoop(state), writeLoop(state)]))
    },

    wake() {
      state.toRead.wake()
    },

    async stop(timeoutMs) {
      state.running = false
      state.toRead.wake()
      state.toWrite.wake()
      const until = performance.now() + timeoutMs
      await endsWithin(loops, timeoutMs + CLOSING_MS)
      await finish(state, Math.max(0, until - performance.now()))
    },
  }
}

function ended<Tx>(state: RunnerState<Tx>, item: Item, end: ItemEnd | undefined): void {
  if (state.stopping) return
  state.handled += 1
  if (item.kind === 'entry') {
    item.entry.settled = true
    if (end === undefined) letGo(state, item.entry)
    else item.entry.failed = failedDelivery(item.event, end)
  } else {
    state.underWay.delete(item.due.id)
    state.settled.push({
      slot: item.slot,
      due: item.due,
      verdict: end?.verdict ?? { kind: 'done' },
      attempt: end?.attempt ?? null,
    })
  }
  state.unwritten += 1
  // Before there is no more room to read; else as many as come in that time share a write.
  if (state.unwritten === Math.ceil(state.options.maxInFlight / 4)) state.writeAt = 0
  // What failed is kept until it is on file.
  else if (end !== undefined && state.inFlightBytes >= state.options.maxInFlightBytes)
    state.writeAt = 0
  // The next of its ordering key waits for this to be on record.
  else if (item.kind === 'due' && state.consumer.ordered) state.writeAt = 0
  else if (state.writeAt === Number.POSITIVE_INFINITY) {
    state.writeAt = performance.now() + state.options.advanceEveryMs
  } else return
  state.toWrite.wake()
}

/** However long it takes: what is held is renewed meanwhile, and what has ended is written. */
async function endOfRound<Tx>(state: RunnerState<Tx>): Promise<void> {
  const idle = state.dispatch.idle()
  while (!(await endsWithin(idle, Math.max(1, state.leaseAt - performance.now())))) {
    await lease(state)
    await write(state, false)
  }
}

/**
 * Lets what is under way end for so long. What does not is for the next holder of its slot, and so is
 * what had not begun: a delivery is given back with its start uncounted, because nobody died of it.
 */
async function finish<Tx>(state: RunnerState<Tx>, timeoutMs: number): Promise<void> {
  const { consumer, dispatch, log, relay, slots } = state
  dispatch.clear()
  dispatch.pump()
  await endsWithin(dispatch.idle(), timeoutMs)
  state.stopping = true
  giveBack(state)
  dispatch.abort(new OncekeyError('lease-lost', 'The relay was stopped before the consumer ended.'))
  const closing = (async () => {
    try {
      await writeAll(state, true)
      const held = [...slots.values()].map(({ slot, epoch }) => ({ slot, epoch }))
      await log.release({ consumer: consumer.name, relay, slots: held, leaving: true })
    } catch (error) {
      report(state, 'advance', error)
    }
  })()
  // A database that does not answer keeps nobody: its leases run out.
  const closed = await endsWithin(closing, Math.max(timeoutMs, CLOSING_MS))
  if (!closed) report(state, 'advance', new Error('The log did not answer when the relay stopped.'))
  for (const slot of [...slots.values()]) lose(state, slot)
  state.leaseAt = 0
  state.leasedUntil = 0
}

function giveBack<Tx>(state: RunnerState<Tx>): void {
  for (const due of state.underWay.values()) {
    const slot = state.slots.get(due.event.slot)
    if (slot === undefined) continue
    state.settled.push({ slot, due, verdict: { kind: 'retrying', delayMs: 0 }, attempt: null })
  }
  state.underWay.clear()
}

/** For the last writes of a relay that stops. Milliseconds. */
const CLOSING_MS = 500
