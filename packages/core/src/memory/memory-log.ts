import { actTarget } from '../acts/act.ts'
import type { EventLog } from '../contracts/event-log.ts'
import { checkEvents } from '../contracts/events/event.ts'
import { bytesOfEvent, PAGE_BYTES } from '../contracts/events/event-bytes.ts'
import { meansType, normalTypes } from '../contracts/events/event-types.ts'
import type { LoggedEvent, Page, ReadRequest } from '../contracts/logged-event.ts'
import { retirement } from '../contracts/retirement.ts'
import {
  type HeldSlot,
  type Lease,
  type LeaseRequest,
  SLOTS,
  slotOf,
  type TakenSlot,
} from '../contracts/slots.ts'
import { departed, enrolled, standingOf, wantedIn } from '../contracts/subscription-record.ts'
import { OncekeyError, OptionsError } from '../errors/errors.ts'
import { memoryControl } from './memory-control.ts'
import { type Cursor, newCursors, type Subscriber } from './memory-cursors.ts'
import { memoryDeadLetters } from './memory-dead-letters.ts'
import { memoryDeliveries } from './memory-deliveries.ts'
import { memoryInbox } from './memory-inbox.ts'
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
 * has one log. The log keeps the last 100,000 events, and all that some consumer has yet to pass.
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
  const deliveries = memoryDeliveries(now)
  const subscribers = new Map<string, Subscriber>()
  const slots = new WeakMap<object, number>()
  /**
   * The last epoch. One counter for all consumers, so that a slot taken by a later consumer of the
   * same name never repeats an epoch.
   */
  let epochs = 0
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
      return shareOut(subscriber, request)
    },

    async release({ consumer, relay, slots: held, leaving }) {
      const subscriber = subscribers.get(consumer)
      const named = heldOf(consumer, held)
      for (const [slot, cursor] of subscriber?.cursors.entries() ?? []) {
        if (!named.has(slot) && !(leaving && cursor.relay === relay)) continue
        cursor.relay = undefined
        cursor.leaseUntil = 0
      }
      if (!leaving || subscriber === undefined) return
      subscriber.relays.delete(relay)
      subscriber.record = departed(subscriber.record, relay, now())
    },

    async read(request) {
      const record = subscribers.get(request.consumer)?.record
      if (record !== undefined) checkWanted(request, wantedIn(record, now()))
      return page(request)
    },

    async advance({ consumer, slots: moves }) {
      const lost: number[] = []
      for (const move of moves) {
        const cursor = cursorOf(consumer, move.slot)
        const at = Number(move.position)
        if (cursor === undefined || !isHeld(consumer, move) || at < cursor.at) {
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
      const cursor = cursorOf(consumer, slot.slot)
      if (cursor === undefined || !isHeld(consumer, slot)) return 'lost'
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
      return deliveries.takeDue(request, heldOf(request.consumer, request.slots))
    },

    async settle(request) {
      const mine = heldOf(request.consumer, request.slots)
      deliveries.recordVerdicts(request, mine)
      return { lost: request.slots.map(({ slot }) => slot).filter((slot) => !mine.has(slot)) }
    },

    async held({ consumer, slots: asked, orderingKeys }) {
      const held = deliveries.held(consumer, asked)
      return held.filter(({ orderingKey }) => orderingKeys?.includes(orderingKey) ?? true)
    },

    takeIn: inbox.takeIn,
    emit: inbox.emit,

    async append(events) {
      checkEvents(events)
      // They may be the store's own list, which grows with each that is appended.
      outbox.append([...events])
    },

    async lag(consumer) {
      const cursors = subscribers.get(consumer)?.cursors ?? []
      let count = 0
      let oldest: number | null = null
      for (const [index, event] of outbox.events.entries()) {
        const cursor = cursors[slotAt(event)]
        if (cursor === undefined || outbox.first + index < cursor.at) continue
        count += 1
        oldest ??= outbox.waitingMs(event)
      }
      return { known: subscribers.has(consumer), events: count, oldestMs: oldest, horizon: null }
    },

    deadLetters: memoryDeadLetters(deliveries, inbox, trail, now),

    control: memoryControl({ now, trail, find: (name) => subscribers.get(name) }),

    operations: trail.operations,

    async maintain() {
      return { dropped: outbox.trim(), missing: [], abandoned: [] }
    },
  }

  function shareOut(
    { cursors, relays }: Subscriber,
    { relay, leaseMs, holding, waiting = false }: LeaseRequest,
  ): Lease {
    const time = now()
    if (waiting) relays.delete(relay)
    else relays.set(relay, time + leaseMs)
    for (const [name, until] of relays) if (until < time) relays.delete(name)
    const share = waiting ? 0 : Math.ceil(SLOTS / relays.size)

    const lost: number[] = []
    const kept = new Set<number>()
    for (const { slot, epoch } of holding) {
      const cursor = cursors[slot]
      if (cursor?.relay !== relay || String(cursor.epoch) !== epoch) lost.push(slot)
      else {
        cursor.leaseUntil = time + leaseMs
        kept.add(slot)
      }
    }
    const taken: TakenSlot[] = []
    for (const [slot, cursor] of cursors.entries()) {
      if (kept.size + taken.length >= share) break
      if (kept.has(slot)) continue
      const isOthers = cursor.relay !== undefined && cursor.relay !== relay
      if (isOthers && cursor.leaseUntil >= time) continue
      if (isOthers) cursor.crashes += 1
      cursor.relay = relay
      cursor.leaseUntil = time + leaseMs
      epochs += 1
      cursor.epoch = epochs
      const { epoch, at, crashes, suspect = null } = cursor
      taken.push({ slot, epoch: String(epoch), position: String(at), crashes, suspect })
    }
    return { share, relays: relays.size, taken, lost }
  }

  function page({ types, slots: asked, limit, maxBytes = PAGE_BYTES }: ReadRequest): Page {
    const from = new Map(asked.map(({ slot, position }) => [slot, Number(position)]))
    const events: LoggedEvent[] = []
    let at = Math.max(outbox.first, Math.min(...from.values()))
    const end = outbox.first + outbox.events.length
    let bytes = 0
    for (; at < end && events.length < limit && bytes < maxBytes; at += 1) {
      const event = outbox.events[at - outbox.first]
      if (event === undefined) break
      const slot = slotAt(event)
      const start = from.get(slot)
      if (start === undefined || at < start) continue
      if (types !== null && !meansType(types, event.type)) continue
      const { occurredAt, headers, ...rest } = event
      events.push({
        ...rest,
        slot,
        position: String(at + 1),
        headers: JSON.stringify(headers),
        occurredAtMs: occurredAt.getTime(),
      })
      bytes += bytesOfEvent(events.at(-1) as LoggedEvent)
    }
    return {
      events,
      more: events.length === limit || bytes >= maxBytes,
      next: asked.map(({ slot, position }) => ({
        slot,
        position: String(Math.max(Number(position), at)),
      })),
    }
  }

  function slotAt(event: { readonly orderingKey: string }): number {
    let slot = slots.get(event)
    if (slot === undefined) {
      slot = slotOf(event.orderingKey)
      slots.set(event, slot)
    }
    return slot
  }

  function cursorOf(consumer: string, slot: number): Cursor | undefined {
    return subscribers.get(consumer)?.cursors[slot]
  }

  function isHeld(consumer: string, { slot, epoch }: HeldSlot): boolean {
    return String(cursorOf(consumer, slot)?.epoch) === epoch
  }

  function heldOf(consumer: string, asked: readonly HeldSlot[]): Set<number> {
    return new Set(asked.filter((each) => isHeld(consumer, each)).map(({ slot }) => slot))
  }
}

function checkWanted({ consumer, types }: ReadRequest, wanted: readonly string[]): void {
  if (normalTypes(types).join('\n') === wanted.join('\n')) return
  throw new OncekeyError(
    'subscription-changed',
    `Consumer "${consumer}" is wanted with ${JSON.stringify(wanted)} now.`,
  )
}
