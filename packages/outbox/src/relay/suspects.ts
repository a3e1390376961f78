import { sleep } from '@oncekey/core'
import { attemptError } from '../consumer/attempt-error.ts'
import type { Consumer } from '../consumer/consumer.ts'
import type { Item, ItemEnd } from './item.ts'
import { type CountedStart, delayAfterFailures, type RunnerState, report } from './runner-state.ts'
import { type Slot, startsOf } from './slot.ts'
import type { Ticket } from './starting/start-gate.ts'
import { writeAll } from './writing.ts'

/**
 * Runs an item that may have killed a process. Its start is counted first, and its end is on record
 * before the next suspect of its slot begins. So after a crash, at most one event of each slot can
 * have been the cause. An item that was started more than `maxStarts` times without an end is
 * poison, and becomes a dead letter.
 */
export function runSuspect<Tx>(
  state: RunnerState<Tx>,
  turns: SuspectTurns,
  suspect: {
    readonly item: Item
    readonly ticket: Ticket
    readonly run: () => Promise<void>
    readonly giveUp: (end: ItemEnd | 'lost') => void
  },
): Promise<void> {
  const { item, ticket, run, giveUp } = suspect
  const { slot } = item
  const turn = async (): Promise<'over' | 'later'> => {
    if (!slot.lost && !ticket.mayStart()) return 'later'
    const starts = await countedStarts(state, item, ticket)
    if (ticket.isDropped()) {
      // Its start may be on record and has no end. It stays in `suspects`: the relay stops, and
      // takes it back.
      giveUp('lost')
      return 'over'
    }
    try {
      if (slot.lost || starts === 'lost') giveUp('lost')
      else {
        if (starts > state.consumer.maxStarts) giveUp(poison(state.consumer, starts - 1))
        else await run()
        await written(state)
      }
    } finally {
      state.suspects.delete(slot)
    }
    return 'over'
  }
  // A turn holds up the suspects of all consumers, so it is not kept while this one may not start.
  const take = async (turnsOf: SuspectTurns['alone']): Promise<void> => {
    while ((await turnsOf(turn)) === 'later') {
      await ticket.wait()
      if (ticket.isDropped()) return giveUp('lost')
    }
  }
  if (item.kind === 'due') return take(turns.alone)
  const mine = slot.turn.then(() => take(isFirstStart(state, item) ? turns.together : turns.alone))
  slot.turn = mine.catch(() => {})
  return mine
}

/**
 * Takes back the starts of suspects that were under way when the relay stopped: no process died of
 * them. Starts that processes did die of stay on record, so that an event that kills its process
 * becomes poison although deploys come between.
 */
export async function takeBackStarts<Tx>(
  { log, consumer }: RunnerState<Tx>,
  suspects: RunnerState<Tx>['suspects'],
): Promise<void> {
  const takeBack = async ([slot, { eventId, counted }]: [Slot, CountedStart]): Promise<void> => {
    const start = { consumer: consumer.name, slot, eventId }
    // If the reply was lost, one more start is counted, only to learn the number.
    const starts = await counted.catch(() => (slot.lost ? 'lost' : log.suspect(start)))
    if (slot.lost || starts === 'lost') return
    await log.suspect({ ...start, backTo: startsAt(slot, starts) - 1 })
  }
  await Promise.all([...suspects].map(takeBack))
}

/**
 * Whether no earlier start of the item can be on record: a slot records only the event whose start
 * was counted last. Such items run beside those of other slots. If the process then dies, each of
 * them has one start on record, and the next holder starts each of them alone, so that another
 * crash has only one possible cause. That second start counts towards `maxStarts`, so this needs
 * `maxStarts` above 1: otherwise an innocent event would become poison.
 */
function isFirstStart<Tx>({ consumer }: RunnerState<Tx>, { slot, event }: Item): boolean {
  return consumer.maxStarts > 1 && slot.suspect !== undefined && slot.suspect !== event.id
}

async function countedStarts<Tx>(
  state: RunnerState<Tx>,
  item: Item,
  ticket: Ticket,
): Promise<number | 'lost'> {
  if (item.kind === 'due') return startsOf(item.slot, item.due)
  const { slot, event } = item
  for (let failures = 0; !slot.lost && !ticket.isDropped(); ) {
    try {
      const eventId = event.id
      const counted = state.log.suspect({ consumer: state.consumer.name, slot, eventId })
      state.suspects.set(slot, { eventId, counted })
      const starts = await counted
      return starts === 'lost' ? starts : startsAt(slot, starts)
    } catch (error) {
      failures += 1
      // The statement failed, but the server may have counted the start.
      slot.unheard += 1
      report(state, 'advance', error)
      await sleep(delayAfterFailures(failures))
    }
  }
  return 'lost'
}

/** How many starts are on record, without those that this process, which lives, may have caused. */
function startsAt({ unheard }: Slot, starts: number): number {
  return Math.max(1, starts - unheard)
}

function poison<Tx>({ name }: Consumer<Tx>, starts: number): ItemEnd {
  const error = new Error(
    `Consumer "${name}" was started on this event ${starts} times, and each time the process died before the attempt ended.`,
  )
  error.name = 'PoisonError'
  const attempt = { startedAtMs: Date.now(), durationMs: 0, error: attemptError(error) }
  return { verdict: { kind: 'dead', reason: 'poison' }, attempt, error }
}

/**
 * Waits until the outcome is on record. If the write loop runs, that loop writes it, so that only
 * one write is under way at a time.
 */
function written<Tx>(state: RunnerState<Tx>): Promise<void> {
  if (!state.running) return writeAll(state, false)
  return new Promise((resolve) => {
    state.onWritten.push(resolve)
    state.writeAt = 0
    state.toWrite.wake()
  })
}

/**
 * The order in which suspects run in a relay, across all its consumers. `alone` runs one while no
 * other runs; `together` runs one beside others that were started with `together`. They run in the
 * order of the calls.
 */
export interface SuspectTurns {
  alone<Result>(work: () => Promise<Result>): Promise<Result>
  together<Result>(work: () => Promise<Result>): Promise<Result>
}

export function suspectTurns(): SuspectTurns {
  let lastAlone: Promise<unknown> = Promise.resolve()
  const those = new Set<Promise<unknown>>()

  return {
    alone(work) {
      const mine = Promise.all([lastAlone, ...those]).then(work)
      lastAlone = mine.catch(() => {})
      return mine
    },
    together(work) {
      const mine = lastAlone.then(work)
      const ended: Promise<unknown> = mine.catch(() => {}).then(() => those.delete(ended))
      those.add(ended)
      return mine
    },
  }
}
