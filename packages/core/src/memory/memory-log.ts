import { actTarget } from '../acts/act.ts'
import type { EventLog } from '../contracts/event-log.ts'
import { checkEvents } from '../contracts/events/event.ts'
import { normalTypes } from '../contracts/events/event-types.ts'
import type { ReadRequest } from '../contracts/logged-event.ts'
import { checkedRequestId } from '../contracts/redrives.ts'
import { retirement } from '../contracts/retirement.ts'
import { departed, enrolled, standingOf, wantedIn } from '../contracts/subscription-record.ts'
import { OncekeyError, OptionsError } from '../errors/errors.ts'
import { memoryControl } from './memory-control.ts'
import { newCursors, type Subscriber } from './memory-cursors.ts'
import { memoryDeadLetters } from './memory-dead-letters.ts'
import { memoryDeliveries } from './memory-deliveries.ts'
import { memoryInbox } from './memory-inbox.ts'
import { memoryLeases } from './memory-leases.ts'
import { memoryReading } from './memory-reading.ts'
import { insidesOf, type MemoryStore } from './memory-store.ts'
import type { MemoryTransaction } from './memory-transaction.ts'

export interface MemoryLogOptions {
  /**
   * The log's clock, milliseconds since 1970. @default a monotonic clock, which does not jump when
   * the system's time is set
   */
  readonly now?: () => number
}

/**
 * Reads the events of a {@link memoryStore} as a log: the whole contract in one process, for tests
 * and examples. What consumers write in their transactions goes into the store's `data`. A store
 * has one log. The log keeps the last 100,000 events, and all that some consumer has yet to pass;
 * what consumers took in, for as long as its event; and resolved dead letters for 30 days.
 * Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * const store = memoryStore()
 * const relay = createRelay({ log: memoryLog(store), consumers: [email] })
 * ```
 */
export function memoryLog(
  store: MemoryStore,
  options: MemoryLogOptions = {},
): EventLog<MemoryTransaction> {
  const inside = insidesOf(store)
  if (inside === undefined) {
    throw new OptionsError(
      'memoryLog() needs the store that memoryStore() returned: write `memoryLog(store)`.',
    )
  }
  const now = options.now ?? (() => performance.timeOrigin + performance.now())
  const { outbox, trail } = inside
  const inbox = memoryInbox(inside)
  /** When each request that appended did so, by its id. */
  const requests = new Map<string, number>()
  const deliveries = memoryDeliveries(now)
  const subscribers = new Map<string, Subscriber>()
  const find = (consumer: string) => subscribers.get(consumer)
  const leases = memoryLeases(find, now)
  const reading = memoryReading(outbox)
  outbox.keepFrom(() =>
    Math.min(
      outbox.first + outbox.events.length,
      ...[...subscribers.values()].flatMap(({ cursors }) => cursors.map(({ at }) => at)),
    ),
  )

  return {
    capabilities: {
      name: 'memory',
      transactions: true,
      ordering: true,
      concurrency: 'many',
      maxTransactions: 1_000_000,
    },

    async subscribe({ consumer, startAt, types }) {
      const known = subscribers.get(consumer)
      const enrolment = { types, relay: undefined, leaseMs: 0, nowMs: now() }
      if (known !== undefined) {
        known.record = enrolled(known.record, enrolment)
        return
      }
      const at = startAt === 'now' ? outbox.first + outbox.events.length : outbox.first
      const cursors = newCursors(at)
      const record = enrolled(null, enrolment)
      subscribers.set(consumer, { cursors, relays: new Map(), record, pause: undefined })
    },

    async want({ consumer, relay, types, leaseMs }) {
      const known = subscribers.get(consumer)
      if (known === undefined) return undefined
      known.record = enrolled(known.record, { types, relay, leaseMs, nowMs: now() })
      return standingOf(known.record, types, now())
    },

    async retire(consumer, options) {
      const choice = retirement(options)
      const isKnown = subscribers.delete(consumer)
      const retired = deliveries.setAside(consumer, choice)
      const count = retired.kept + retired.discarded
      if (isKnown || count > 0) {
        const { remaining, actor, note } = choice
        const detail = { remaining, deliveries: count }
        const target = actTarget('consumer', consumer)
        trail.add({ atMs: now(), actor, note, act: 'consumers.retire', target, detail })
      }
      return retired
    },

    async lease(request) {
      const subscriber = subscribers.get(request.consumer)
      if (subscriber === undefined) return { share: 0, relays: 0, taken: [], lost: [] }
      return leases.lease(subscriber, request)
    },

    async release(request) {
      const subscriber = subscribers.get(request.consumer)
      if (subscriber === undefined) return
      leases.release(subscriber, request)
      if (!request.leaving) return
      subscriber.record = departed(subscriber.record, request.relay, now())
    },

    async read(request) {
      const record = subscribers.get(request.consumer)?.record
      if (record !== undefined) checkWanted(request, wantedIn(record, now()))
      return reading.page(request)
    },

    async advance({ consumer, slots: moves }) {
      const lost: number[] = []
      for (const move of moves) {
        const cursor = leases.heldCursor(consumer, move)
        const at = Number(move.position)
        if (cursor === undefined || at < cursor.at) {
          lost.push(move.slot)
          continue
        }
        cursor.at = at
        if (move.calm) cursor.crashes = 0
        for (const failed of move.failed) deliveries.file(consumer, failed)
      }
      return { lost }
    },

    async suspect({ consumer, slot, eventId, backTo }) {
      const cursor = leases.heldCursor(consumer, slot)
      if (cursor === undefined) return 'lost'
      const isCounted = cursor.suspect === eventId
      if (backTo !== undefined) {
        if (isCounted) cursor.starts = backTo
        if (isCounted && backTo === 0) cursor.suspect = undefined
        return backTo
      }
      cursor.starts = isCounted ? cursor.starts + 1 : 1
      cursor.suspect = eventId
      return cursor.starts
    },

    async takeDue(request) {
      return deliveries.takeDue(request, leases.heldOf(request.consumer, request.slots))
    },

    async settle(request) {
      const mine = leases.heldOf(request.consumer, request.slots)
      deliveries.recordVerdicts(request, mine)
      return { lost: request.slots.map(({ slot }) => slot).filter((slot) => !mine.has(slot)) }
    },

    async held({ consumer, slots: asked, orderingKeys }) {
      const held = deliveries.held(consumer, asked)
      return held.filter(({ orderingKey }) => orderingKeys?.includes(orderingKey) ?? true)
    },

    takeIn: inbox.takeIn,
    emit: inbox.emit,

    async append(events, { requestId } = {}) {
      checkEvents(events)
      const eventId = checkedRequestId(requestId, 'append')
      // They may be the store's own list, which grows with each that is appended.
      const given = [...events]
      if (eventId === undefined) outbox.append(given)
      else if (!requests.has(eventId)) {
        requests.set(eventId, now())
        outbox.append(given)
      }
    },

    async lag(consumer) {
      const known = subscribers.get(consumer)
      return { known: known !== undefined, ...reading.ahead(known?.cursors ?? []), horizon: null }
    },

    deadLetters: memoryDeadLetters(deliveries, inbox, trail, now),

    control: memoryControl({ now, trail, find }),

    operations: trail.operations,

    async maintain() {
      const dropped = outbox.trim()
      inbox.forget(deliveries.openEvents)
      for (const [id, at] of requests) if (at <= now() - REQUEST_KEPT_MS) requests.delete(id)
      deliveries.forgetResolved()
      return { dropped, missing: [], abandoned: [] }
    },
  }
}

/** For how long a request that appended is known by its id. Milliseconds. */
const REQUEST_KEPT_MS = 3_600_000

function checkWanted({ consumer, types }: ReadRequest, wanted: readonly string[]): void {
  if (normalTypes(types).join('\n') === wanted.join('\n')) return
  throw new OncekeyError(
    'subscription-changed',
    `Consumer "${consumer}" is wanted with ${JSON.stringify(wanted)} now.`,
  )
}
