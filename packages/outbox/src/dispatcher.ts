import {
  type DeliveryAttempt,
  type DeliveryVerdict,
  type DueDelivery,
  type EventLog,
  type FailedDelivery,
  type LoggedEvent,
  type OncekeyError,
  tell,
} from '@oncekey/core'
import { type Attempt, type AttemptOutcome, startAttempt } from './attempt.ts'
import type { Consumer } from './consumer.ts'
import { type Entry, hold, type Slot } from './slot.ts'
import { triedOnce, verdictOf } from './verdict.ts'

/** Something to hand out: an event from the log, or a delivery that is due again. */
export type Item =
  | {
      readonly kind: 'entry'
      readonly slot: Slot
      readonly event: LoggedEvent
      readonly entry: Entry
    }
  | {
      readonly kind: 'due'
      readonly slot: Slot
      readonly event: LoggedEvent
      readonly due: DueDelivery
    }

/** Hands items to a consumer, as many at once as it takes, and says how each ended. */
export interface Dispatcher {
  add(items: readonly Item[]): void
  /** Starts what can be started. */
  pump(): void
  /** Handed in and not ended. */
  pending(): number
  /** Resolves when nothing is under way that was handed in. */
  idle(): Promise<void>
  /** Forgets what was not started; ends what was. */
  abort(reason: OncekeyError): void
  /** Forgets what was not started. */
  clear(): void
}

export interface DispatcherOptions<Tx> {
  readonly log: EventLog<Tx>
  readonly consumer: Consumer<Tx>
  /** Whether anything may be started now. */
  readonly mayStart: () => boolean
  /** How an item ended; `undefined` for success. */
  readonly ended: (item: Item, end: ItemEnd | undefined) => void
  /** Runs what may be the end of the process, nothing of its kind beside it. `start` says whether it may begin. */
  readonly alone: (
    item: Item,
    run: () => Promise<void>,
    giveUp: (end: ItemEnd | 'lost') => void,
  ) => void
}

export interface ItemEnd {
  readonly verdict: DeliveryVerdict
  readonly attempt: DeliveryAttempt | null
  /** What was thrown. */
  readonly error: unknown
}

/** One for each consumer of a relay. */
export function dispatcher<Tx>(options: DispatcherOptions<Tx>): Dispatcher {
  const { log, consumer } = options
  const concurrency = consumer.concurrency
  const batchSize = consumer.work.kind === 'batch' ? consumer.work.batchSize : 1
  let queue: (Item | undefined)[] = []
  let head = 0
  let running = 0
  let pumping = false
  const attempts = new Set<Attempt>()
  /** Ordered: the items of a key that wait for the one under way. */
  const busyKeys = new Map<string, Item[]>()
  let waitingForKeys = 0
  /** Ordered: whose turn it is; their keys are taken. */
  let turns: Item[] = []
  let whenIdle: (() => void)[] = []

  return {
    add(items) {
      for (const item of items) queue.push(item)
    },
    pump,
    pending,
    idle() {
      if (pending() === 0) return Promise.resolve()
      return new Promise((resolve) => {
        whenIdle.push(resolve)
      })
    },
    clear,
    abort(reason) {
      clear()
      for (const attempt of [...attempts]) attempt.abort(reason)
    },
  }

  function pending(): number {
    return queue.length - head + turns.length + running + waitingForKeys
  }

  function clear(): void {
    queue = []
    head = 0
    busyKeys.clear()
    waitingForKeys = 0
    turns = []
  }

  function pump(): void {
    // What ends at once comes back here, and is gone on with by the loop below.
    if (pumping) return
    pumping = true
    while (running < concurrency && options.mayStart()) {
      const turn = turns.pop()
      if (turn === undefined && head === queue.length) break
      const item = turn ?? next()
      if (item.slot.lost) {
        if (turn !== undefined) freeKey(item)
      } else if (turn !== undefined || mayRun(item)) {
        if (isDubious(item)) runAlone(item)
        else run(withCompany(item))
      }
    }
    pumping = false
    if (whenIdle.length > 0 && pending() === 0) {
      const resolves = whenIdle
      whenIdle = []
      for (const resolve of resolves) resolve()
    }
  }

  function next(): Item {
    const item = queue[head] as Item
    // Not kept until the queue is cut.
    queue[head] = undefined
    head += 1
    if (head > 1_000 && head * 2 > queue.length) {
      queue = queue.slice(head)
      head = 0
    }
    return item
  }

  /** Ordered: not beside another of its key, and not before one that has failed. */
  function mayRun(item: Item): boolean {
    if (!consumer.ordered) return true
    const key = item.event.orderingKey
    const waiting = busyKeys.get(key)
    if (waiting !== undefined) {
      waiting.push(item)
      waitingForKeys += 1
      return false
    }
    if (item.kind === 'entry' && item.slot.held.has(key)) {
      settle(item, PARKED)
      return false
    }
    busyKeys.set(key, [])
    return true
  }

  /** As many of those that wait as fit in a batch. */
  function withCompany(item: Item): Item[] {
    const items = [item]
    while (items.length < batchSize && item.kind === 'entry' && head < queue.length) {
      const other = queue[head] as Item
      if (other.kind !== 'entry' || isDubious(other)) break
      next()
      if (!other.slot.lost) items.push(other)
    }
    return items
  }

  function run(items: Item[]): void {
    running += 1
    const startedAtMs = Date.now()
    const started = performance.now()
    attemptOn(items, (outcome) => {
      running -= 1
      const apart = items.length > 1 && outcome.kind === 'failed'
      if (apart) oneByOne(items)
      else for (const item of items) conclude(item, outcome, startedAtMs, started)
      pump()
    })
  }

  function attemptOn(items: readonly Item[], end: (outcome: AttemptOutcome) => void): void {
    let over = false
    let attempt: Attempt | undefined
    const number = attemptOf(items[0] as Item)
    attempt = startAttempt(
      log,
      consumer,
      items.map(({ event }) => event),
      number,
      (outcome) => {
        over = true
        if (attempt !== undefined) attempts.delete(attempt)
        end(outcome)
      },
    )
    if (!over) attempts.add(attempt)
  }

  /** A batch that failed: some of it may be good. In order, and before anything else. */
  function oneByOne(items: readonly Item[]): void {
    running += 1
    const rest = [...items]
    const go = (): void => {
      const item = rest.shift()
      if (item === undefined) {
        running -= 1
        pump()
        return
      }
      if (item.slot.lost) {
        go()
        return
      }
      const startedAtMs = Date.now()
      const started = performance.now()
      attemptOn([item], (outcome) => {
        conclude(item, outcome, startedAtMs, started)
        go()
      })
    }
    go()
  }

  function runAlone(item: Item): void {
    running += 1
    const ended = (): void => {
      running -= 1
      pump()
    }
    options.alone(
      item,
      () =>
        new Promise((resolve) => {
          const startedAtMs = Date.now()
          const started = performance.now()
          attemptOn([item], (outcome) => {
            conclude(item, outcome, startedAtMs, started)
            ended()
            resolve()
          })
        }),
      (end) => {
        if (end !== 'lost') settle(item, end)
        freeKey(item)
        ended()
      },
    )
  }

  function conclude(
    item: Item,
    outcome: AttemptOutcome,
    startedAtMs: number,
    started: number,
  ): void {
    if (outcome.kind === 'done') settle(item, undefined)
    else {
      const { error } = outcome
      const attempt = triedOnce(error, startedAtMs, performance.now() - started)
      settle(item, { verdict: verdictOf(consumer, error, attemptOf(item)), attempt, error })
    }
    freeKey(item)
  }

  function settle(item: Item, end: ItemEnd | undefined): void {
    if (item.slot.lost) return
    if (consumer.ordered) {
      const key = item.event.orderingKey
      const stays = end?.verdict.kind === 'retrying'
      if (item.kind === 'entry' && stays) hold(item.slot, key, 1)
      if (item.kind === 'due' && !stays) hold(item.slot, key, -1)
    }
    options.ended(item, end)
    if (end !== undefined && end.attempt !== null) tellOf(item, end, end.attempt)
  }

  function freeKey(item: Item): void {
    if (!consumer.ordered) return
    const key = item.event.orderingKey
    const waiting = busyKeys.get(key)
    for (let other = waiting?.shift(); other !== undefined; other = waiting?.shift()) {
      waitingForKeys -= 1
      if (other.slot.lost) continue
      if (other.kind === 'due' || !other.slot.held.has(key)) {
        turns.push(other)
        return
      }
      settle(other, PARKED)
    }
    busyKeys.delete(key)
  }

  function tellOf(item: Item, { verdict, error }: ItemEnd, attempt: DeliveryAttempt): void {
    tell('oncekey:delivery', () => ({
      consumer: consumer.name,
      eventId: item.event.id,
      type: item.event.type,
      attempt: attemptOf(item),
      verdict: verdict.kind,
      delayMs: verdict.kind === 'retrying' ? verdict.delayMs : 0,
      durationMs: attempt.durationMs,
      error,
    }))
  }
}

/** Not tried: it waits behind another of its ordering key. */
const PARKED: ItemEnd = {
  verdict: { kind: 'retrying', delayMs: 0 },
  attempt: null,
  error: undefined,
}

function attemptOf(item: Item): number {
  return item.kind === 'entry' ? 1 : item.due.attempts + 1
}

/** Whether processes have died of it, or of something beside it. */
function isDubious(item: Item): boolean {
  if (item.kind === 'due') return item.due.starts > item.due.attempts + 1
  return item.slot.crashes >= 2
}

/** An event as it goes on file. */
export function failedDelivery(event: LoggedEvent, { verdict, attempt }: ItemEnd): FailedDelivery {
  return { event, verdict, attempt }
}
