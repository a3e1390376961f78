import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  type DeliveryAttempt,
  type DueDelivery,
  type EventLog,
  type FailedDelivery,
  type LoggedEvent,
  type OutboxEvent,
  type Position,
  SLOTS,
  type TakenSlot,
} from '@oncekey/core'
import { eventually } from '../eventually.ts'
import type { LogFixture } from './log-fixture.ts'

/** A relay as simple as can be: it holds slots and reads on. */
export interface Reader {
  readonly consumer: string
  readonly relay: string
  readonly slots: Map<number, TakenSlot>
  readonly positions: Map<number, Position>
  /** Asks for slots once more; returns what was taken and lost. */
  lease(): Promise<{ taken: readonly TakenSlot[]; lost: readonly number[]; share: number }>
  /** The next page, and reads on from there. */
  read(
    limit?: number,
    maxBytes?: number,
  ): Promise<{ events: readonly LoggedEvent[]; more: boolean }>
  /** Pages until there are no more. */
  readAll(limit?: number): Promise<LoggedEvent[]>
  /** Moves the cursors of all its slots to where it has read. */
  advance(failed?: readonly FailedDelivery[], calm?: boolean): Promise<readonly number[]>
  release(leaving?: boolean): Promise<void>
  takeDue(options?: {
    except?: readonly string[]
    limit?: number
    maxBytes?: number
  }): Promise<{ deliveries: readonly DueDelivery[]; nextInMs: number | null }>
  settle(
    due: DueDelivery,
    verdict: Parameters<EventLog['settle']>[0]['settled'][number]['verdict'],
  ): Promise<readonly number[]>
  /** What proves that it holds the slot. */
  held(slot: number): { slot: number; epoch: string }
}

/** What a behaviour is tested with. */
export interface LogContext {
  readonly log: EventLog
  readonly fixture: LogFixture
  another(): Promise<EventLog>
  /** A name that no other test uses. */
  name(): string
  event(differently?: Partial<OutboxEvent>): OutboxEvent
  events(count: number, differently?: Partial<OutboxEvent>): OutboxEvent[]
  append(...events: OutboxEvent[]): Promise<void>
  /** A consumer from now on, and a reader with all of its slots. */
  reader(options?: {
    consumer?: string
    log?: EventLog
    leaseMs?: number
    types?: readonly string[] | null
    startAt?: 'beginning' | 'now'
  }): Promise<Reader>
  /** A lease that the test means to let run out. Milliseconds. */
  readonly shortLeaseMs: number
  /** Returns when a time has passed by the log's clock. */
  pass(ms: number): Promise<void>
  /** Returns what `look` does, once it is something. */
  soon<T>(what: string, look: () => Promise<T | undefined>): Promise<T>
}

export function logContext(fixture: LogFixture): LogContext {
  const { log } = fixture
  const mine = randomUUID().slice(0, 8)
  let names = 0
  const name = (): string => {
    names += 1
    return `${mine}-${names}`
  }
  const event = (differently?: Partial<OutboxEvent>): OutboxEvent => ({
    id: randomUUID(),
    type: 'order.created',
    source: '/conformance',
    subject: 'order-1',
    orderingKey: name(),
    data: '{"id":"order-1"}',
    headers: {},
    occurredAt: new Date(),
    ...differently,
  })

  return {
    log,
    fixture,
    name,
    event,
    shortLeaseMs: fixture.advance === undefined ? 300 : 60_000,

    another: async () => (await fixture.another?.()) ?? log,

    events: (count, differently) => Array.from({ length: count }, () => event(differently)),

    append: (...events) => log.append(events),

    async reader(options = {}) {
      const { consumer = name(), types = null, startAt = 'now', leaseMs = 60 * 60 * 1000 } = options
      const on = options.log ?? log
      await on.subscribe({ consumer, types, startAt })
      const made = readerOf(on, { consumer, relay: name(), types, leaseMs })
      await made.lease()
      return made
    },

    async pass(ms) {
      if (fixture.advance !== undefined) await fixture.advance(ms)
      else await new Promise((resolve) => setTimeout(resolve, ms))
    },

    soon: (what, look) => eventually(what, look),
  }
}

function readerOf(
  log: EventLog,
  of: { consumer: string; relay: string; types: readonly string[] | null; leaseMs: number },
): Reader {
  const { consumer, relay, types, leaseMs } = of
  const slots = new Map<number, TakenSlot>()
  const positions = new Map<number, Position>()
  const heldSlots = (): { slot: number; epoch: string }[] =>
    [...slots.values()].map(({ slot, epoch }) => ({ slot, epoch }))

  const reader: Reader = {
    consumer,
    relay,
    slots,
    positions,

    async lease() {
      const lease = await log.lease({ consumer, relay, leaseMs, holding: heldSlots() })
      for (const slot of lease.lost) {
        slots.delete(slot)
        positions.delete(slot)
      }
      for (const taken of lease.taken) {
        slots.set(taken.slot, taken)
        positions.set(taken.slot, taken.position)
      }
      return lease
    },

    async read(limit = 100, maxBytes) {
      const page = await log.read({
        consumer,
        types,
        limit,
        ...(maxBytes === undefined ? {} : { maxBytes }),
        slots: [...positions].map(([slot, position]) => ({ slot, position })),
      })
      for (const { slot, position } of page.next) positions.set(slot, position)
      return page
    },

    async readAll(limit = 100) {
      const events: LoggedEvent[] = []
      for (;;) {
        const page = await reader.read(limit)
        events.push(...page.events)
        if (!page.more) return events
      }
    },

    async advance(failed = [], calm = false) {
      const { lost } = await log.advance({
        consumer,
        slots: [...slots.values()].map(({ slot, epoch }) => ({
          slot,
          epoch,
          calm,
          position: positions.get(slot) ?? '',
          failed: failed.filter(({ event }) => event.slot === slot),
        })),
      })
      return lost
    },

    async release(leaving = false) {
      await log.release({ consumer, relay, slots: heldSlots(), leaving })
    },

    takeDue: ({ except = [], limit = 100, ...rest } = {}) =>
      log.takeDue({ consumer, slots: heldSlots(), except, limit, ...rest }),

    async settle({ id, event }, verdict) {
      const { lost } = await log.settle({
        consumer,
        slots: [reader.held(event.slot)],
        settled: [
          { id, slot: event.slot, verdict, attempt: verdict.kind === 'done' ? null : tried() },
        ],
      })
      return lost
    },

    held(slot) {
      const { epoch } = slots.get(slot) ?? { epoch: '' }
      return { slot, epoch }
    },
  }
  return reader
}

/** A try that ended with this error. */
export function tried(message = 'no route to the printer'): DeliveryAttempt {
  return {
    startedAtMs: Date.now(),
    durationMs: 12,
    error: {
      name: 'PrinterError',
      message,
      code: 'EHOSTUNREACH',
      stack: `PrinterError: ${message}\n    at print`,
      fingerprint: `printer:${message}`,
    },
  }
}

/** An event as it goes on file after a failure. */
export function retrying(event: LoggedEvent, delayMs = 0): FailedDelivery {
  return { event, verdict: { kind: 'retrying', delayMs }, attempt: tried() }
}

export function dead(
  event: LoggedEvent,
  reason: 'permanent' | 'exhausted' | 'poison' = 'permanent',
  message?: string,
): FailedDelivery {
  return { event, verdict: { kind: 'dead', reason }, attempt: tried(message) }
}

/** Not tried, because it waits behind another of its ordering key. */
export function parked(event: LoggedEvent): FailedDelivery {
  return { event, verdict: { kind: 'retrying', delayMs: 0 }, attempt: null }
}

export function idsOf(events: readonly { readonly id: string }[]): string[] {
  return events.map(({ id }) => id)
}

/** The one of these that has that id; fails the test if there is none. */
export function find(events: readonly LoggedEvent[], { id }: { readonly id: string }): LoggedEvent {
  const found = events.find((each) => each.id === id)
  assert.ok(found, `the event ${id} was not read`)
  return found
}

export const allSlots: readonly number[] = Array.from({ length: SLOTS }, (_, slot) => slot)
