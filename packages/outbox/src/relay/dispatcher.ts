import type { EventLog, OncekeyError } from '@oncekey/core'
import { type Attempt, startAttempt } from '../consumer/attempt.ts'
import type { AttemptOutcome } from '../consumer/attempt-state.ts'
import type { Consumer } from '../consumer/consumer.ts'
import { isPostponed } from '../consumer/postponed-error.ts'
import { deliveryAttempt, verdictOf } from '../consumer/verdict.ts'
import { attemptOf, type Item, type ItemEnd, isSuspect, PARKED, tellDelivery } from './item.ts'
import { itemQueue } from './item-queue.ts'
import { ANY_ORDER, keyTurns } from './key-turns.ts'
import { hold, type Slot } from './slot.ts'
import { oneByOne } from './starting/one-by-one.ts'
import { startGate, type Ticket } from './starting/start-gate.ts'

/** Gives items to one consumer, at most `concurrency` at once, and reports how each ended. */
export interface Dispatcher {
  add(items: readonly Item[]): void
  /** Starts as many queued items as may run now. */
  pump(): void
  /** How many items were added and have not ended yet. */
  pending(): number
  /** How many attempts are under way. */
  underWay(): number
  /** Resolves when no item is queued or under way. */
  idle(): Promise<void>
  /** Drops what is queued and aborts what is under way. */
  abort(reason: OncekeyError): void
  /** Drops what is queued. */
  clear(): void
  /**
   * For ordered consumers: tells that the log has confirmed how many deliveries of this key are on
   * file, so the key's next item may start.
   */
  sure(orderingKey: string): void
}

export interface DispatcherOptions<Tx> {
  readonly log: EventLog<Tx>
  readonly consumer: Consumer<Tx>
  /** Whether items may be started: false once the lease has ended. */
  readonly mayStart: () => boolean
  /** Called once for every item that ended; `end` is `undefined` for success. */
  readonly ended: (item: Item, end: ItemEnd | undefined) => void
  /** For ordered consumers: the item was not tried, because an earlier one will be retried. */
  readonly dropped: (item: Item) => void
  /**
   * For ordered consumers: called when, by the relay's own count, no delivery of this key is on
   * file any longer, which the log must confirm. The key waits until `sure` is called.
   */
  readonly unsure: (slot: Slot, orderingKey: string) => void
  /**
   * Called for a suspect. When the suspect's turn comes and `ticket` lets it start, it calls `run`,
   * or `giveUp` instead.
   */
  readonly suspected: (
    item: Item,
    ticket: Ticket,
    run: () => Promise<void>,
    giveUp: (end: ItemEnd | 'lost') => void,
  ) => void
}

/** Creates the dispatcher of one consumer in one relay. */
export function dispatcher<Tx>(options: DispatcherOptions<Tx>): Dispatcher {
  const { log, consumer } = options
  const concurrency = consumer.concurrency
  const batchSize = consumer.work.kind === 'batch' ? consumer.work.batchSize : 1
  const queue = itemQueue()
  let running = 0
  let pumping = false
  const attempts = new Set<Attempt>()
  const turns = consumer.ordered
    ? keyTurns({ ...options, parked: (item) => conclude(item, PARKED) })
    : ANY_ORDER
  let whenIdle: (() => void)[] = []
  const gate = startGate(options.mayStart)

  return {
    add: queue.add,
    pump,
    pending,
    underWay: () => attempts.size,
    idle() {
      if (pending() === 0) return Promise.resolve()
      return new Promise((resolve) => {
        whenIdle.push(resolve)
      })
    },
    clear,
    sure(orderingKey) {
      if (turns.sure(orderingKey)) pump()
    },
    abort(reason) {
      clear()
      for (const attempt of [...attempts]) attempt.abort(reason)
    },
  }

  function pending(): number {
    return queue.size() + turns.size() + running
  }

  function clear(): void {
    gate.drop()
    queue.clear()
    turns.clear()
  }

  function pump(): void {
    gate.look()
    // The item of a synchronous consumer ends inside the loop below, which calls pump() again.
    if (pumping) return
    pumping = true
    try {
      while (running < concurrency && options.mayStart()) {
        const turn = turns.next()
        if (turn === undefined && queue.size() === 0) break
        const item = turn ?? queue.take()
        if (item.slot.lost) {
          if (turn !== undefined) turns.free(item)
        } else if (turn !== undefined || turns.mayRun(item)) {
          if (isSuspect(item)) runSuspected(item)
          else run(batchWith(item))
        }
      }
    } finally {
      pumping = false
    }
    if (whenIdle.length > 0 && pending() === 0) {
      const resolves = whenIdle
      whenIdle = []
      for (const resolve of resolves) resolve()
    }
  }

  /** The item, and as many queued events as fit into its batch. */
  function batchWith(item: Item): Item[] {
    const items = [item]
    while (items.length < batchSize && item.kind === 'entry') {
      const other = queue.peek()
      if (other?.kind !== 'entry' || isSuspect(other)) break
      queue.take()
      if (!other.slot.lost) items.push(other)
    }
    return items
  }

  function run(items: Item[]): void {
    running += 1
    const ticket = items.length > 1 ? gate.ticket() : undefined
    const startedAtMs = Date.now()
    const started = performance.now()
    attemptOn(items, (outcome) => {
      running -= 1
      // A batch that was postponed was not tried, and none of its events can be at this moment.
      const isTried = outcome.kind === 'failed' && !isPostponed(outcome.error)
      if (ticket !== undefined && isTried) apart(items, ticket)
      else for (const item of items) judge(item, outcome, startedAtMs, started)
      pump()
    })
  }

  function attemptOn(items: readonly Item[], end: (outcome: AttemptOutcome) => void): void {
    let over = false
    let attempt: Attempt | undefined
    attempt = startAttempt(
      log,
      consumer,
      items.map(({ event }) => event),
      items.map(({ slot }) => slot),
      attemptOf(items[0] as Item),
      (outcome) => {
        over = true
        if (attempt !== undefined) attempts.delete(attempt)
        end(outcome)
      },
    )
    if (!over) attempts.add(attempt)
  }

  /** Retries a failed batch at once, one event at a time, because most of them may succeed. */
  function apart(items: readonly Item[], ticket: Ticket): void {
    running += 1
    const start = (item: Item, ended: () => void): void => {
      const startedAtMs = Date.now()
      const started = performance.now()
      attemptOn([item], (outcome) => {
        judge(item, outcome, startedAtMs, started)
        ended()
      })
    }
    oneByOne(items, ticket, start, () => {
      running -= 1
      pump()
    })
  }

  function runSuspected(item: Item): void {
    running += 1
    const ended = (): void => {
      running -= 1
      pump()
    }
    options.suspected(
      item,
      gate.ticket(),
      () =>
        new Promise((resolve) => {
          const startedAtMs = Date.now()
          const started = performance.now()
          attemptOn([item], (outcome) => {
            judge(item, outcome, startedAtMs, started)
            ended()
            resolve()
          })
        }),
      (end) => {
        if (end !== 'lost') conclude(item, end)
        turns.free(item)
        ended()
      },
    )
  }

  function judge(item: Item, outcome: AttemptOutcome, startedAtMs: number, started: number): void {
    if (outcome.kind === 'done') conclude(item, undefined)
    else {
      const { error } = outcome
      // A postponed delivery was not tried. Its reason was recorded when it was first postponed,
      // and is not recorded again.
      const isAlreadyRecorded = item.kind === 'due' && isPostponed(error)
      const attempt = isAlreadyRecorded
        ? null
        : deliveryAttempt(error, startedAtMs, performance.now() - started)
      conclude(item, { verdict: verdictOf(consumer, outcome, attemptOf(item)), attempt, error })
    }
    turns.free(item)
  }

  function conclude(item: Item, end: ItemEnd | undefined): void {
    if (item.slot.lost) return
    if (consumer.ordered) {
      const key = item.event.orderingKey
      const stays = end?.verdict.kind === 'retrying'
      if (item.kind === 'entry' && stays) hold(item.slot, key, 1)
      if (item.kind === 'due') {
        item.sequence.left -= 1
        item.sequence.isBroken ||= stays
        if (!stays) hold(item.slot, key, -1)
      }
    }
    options.ended(item, end)
    if (end !== undefined && end.attempt !== null)
      tellDelivery(consumer.name, item, end, end.attempt)
  }
}
