import type { DeadLetter, DeadLetterDetail, PastAttempt } from '../contracts/dead-letter-source.ts'
import type { Due, FailedDelivery, Settle, TakeDue } from '../contracts/delivery.ts'
import { bytesOfEvent, PAGE_BYTES, upToBytes } from '../contracts/events/event-bytes.ts'
import { meansType } from '../contracts/events/event-types.ts'
import type { LoggedEvent } from '../contracts/logged-event.ts'
import type { Retired, Retirement } from '../contracts/retirement.ts'
import type { Position } from '../contracts/slots.ts'

/** A filed delivery of the memory log. */
export interface MemoryDelivery {
  readonly id: string
  readonly consumer: string
  readonly event: LoggedEvent
  /**
   * Whether the subscription that the delivery belonged to is retired; it then holds back no other
   * delivery.
   */
  isPast: boolean
  state: DeadLetter['state']
  reason: DeadLetter['reason']
  attempts: number
  starts: number
  redrives: number
  /**
   * When the next attempt is due; Infinity while the delivery waits behind an earlier one of its
   * ordering key.
   */
  dueAt: number
  readonly firstFailedAt: number
  deadAt: number | null
  resolvedAt: number | null
  resolution: DeadLetter['resolution']
  note: string | null
  readonly history: PastAttempt[]
}

/**
 * The deliveries that consumers failed to take, in an array, under the rules that every log
 * follows.
 */
export interface MemoryDeliveries {
  readonly all: MemoryDelivery[]
  file(consumer: string, failed: FailedDelivery): void
  takeDue(request: TakeDue, mine: ReadonlySet<number>): Due
  recordVerdicts(request: Settle, mine: ReadonlySet<number>): void
  held(
    consumer: string,
    slots: readonly number[],
  ): { slot: number; orderingKey: string; count: number }[]
  /** The ids of the events that have a delivery that may still be attempted. */
  openEvents(): ReadonlySet<string>
  /** Forgets the letters that were resolved 30 days ago, as other logs do. */
  forgetResolved(): void
  /** Sets aside the deliveries of a consumer that is retired. */
  setAside(consumer: string, choice: Retirement): Retired
}

export function memoryDeliveries(now: () => number): MemoryDeliveries {
  const all: MemoryDelivery[] = []
  let ids = 0

  const retryingOf = (consumer: string, slot: number): MemoryDelivery[] =>
    all.filter(
      (each) => each.consumer === consumer && each.event.slot === slot && each.state === 'retrying',
    )

  const behindAnother = ({ consumer, event }: MemoryDelivery): boolean =>
    retryingOf(consumer, event.slot).some(
      (other) => other.event.orderingKey === event.orderingKey && isBefore(other.event, event),
    )

  return {
    all,

    file(consumer, { event, verdict, attempt }) {
      const isThere = all.some(
        (each) => each.consumer === consumer && each.event.id === event.id && !each.isPast,
      )
      if (isThere) return
      ids += 1
      const dead = verdict.kind === 'dead'
      const delivery: MemoryDelivery = {
        id: String(ids),
        consumer,
        event,
        isPast: false,
        state: verdict.kind,
        reason: dead ? verdict.reason : null,
        attempts: attempt === null ? 0 : 1,
        starts: attempt === null ? 0 : 1,
        redrives: 0,
        dueAt: now() + (dead ? 0 : verdict.delayMs),
        firstFailedAt: now(),
        deadAt: dead ? now() : null,
        resolvedAt: null,
        resolution: null,
        note: null,
        history: [],
      }
      if (attempt !== null) delivery.history.push(pastAttempt(attempt, 1))
      else if (!dead && behindAnother(delivery)) delivery.dueAt = Number.POSITIVE_INFINITY
      all.push(delivery)
    },

    takeDue({ consumer, except, limit, run, types = null, maxBytes = PAGE_BYTES }, mine) {
      const time = now()
      const isFree = ({ id, event }: MemoryDelivery): boolean =>
        !except.includes(id) && (types === null || meansType(types, event.type))
      const waiting = [...mine]
        .flatMap((slot) => retryingOf(consumer, slot))
        .filter((each) => isFree(each) && (run === undefined || !behindAnother(each)))
        .sort((one, other) => one.dueAt - other.dueAt)
      let due: readonly MemoryDelivery[] = waiting
        .filter(({ dueAt }) => dueAt <= time)
        .slice(0, limit)
      const dubious = due.find(({ starts, attempts }) => starts > attempts)
      const first = new Set(due)
      if (dubious !== undefined) due = [dubious]
      else if (run !== undefined) {
        const joins = (each: MemoryDelivery): boolean =>
          isFree(each) &&
          each.starts <= each.attempts &&
          (each.dueAt <= time || each.dueAt === Number.POSITIVE_INFINITY)
        due = inTurns(due.map((each) => runOf(each, run, joins))).slice(0, Math.max(limit, run))
      }
      due = upToBytes(due, maxBytes, ({ event }) => bytesOfEvent(event))
      for (const each of due) if (first.has(each)) each.starts += 1
      const next = waiting.find((each) => !due.includes(each) && Number.isFinite(each.dueAt))
      return {
        deliveries: due.map(({ id, event, attempts, starts, redrives }) => ({
          id,
          event,
          attempts,
          starts,
          redrives,
        })),
        nextInMs: next === undefined ? null : Math.max(0, Math.ceil(next.dueAt - now())),
      }
    },

    recordVerdicts({ settled }, mine) {
      for (const { id, slot, verdict, attempt, claimed, startsLeft } of settled) {
        const delivery = all.find((each) => each.id === id)
        if (delivery?.state !== 'retrying' || !mine.has(slot)) continue
        const { attempts, redrives } = claimed ?? delivery
        if (delivery.attempts !== attempts || delivery.redrives !== redrives) continue
        if (verdict.kind === 'done') {
          resolve(delivery)
        } else {
          if (attempt !== null) {
            delivery.attempts += 1
            delivery.history.push(pastAttempt(attempt, delivery.history.length + 1))
          }
          delivery.starts = startsLeft ?? delivery.attempts
          delivery.state = verdict.kind
          delivery.reason = verdict.kind === 'dead' ? verdict.reason : null
          delivery.deadAt = verdict.kind === 'dead' ? now() : null
          delivery.dueAt = now() + (verdict.kind === 'dead' ? 0 : verdict.delayMs)
        }
        if (delivery.state !== 'retrying') letNextGo(delivery)
      }
    },

    held(consumer, slots) {
      const counts = new Map<string, { slot: number; orderingKey: string; count: number }>()
      for (const { event } of slots.flatMap((slot) => retryingOf(consumer, slot))) {
        const { orderingKey, slot } = event
        const held = counts.get(orderingKey) ?? { slot, orderingKey, count: 0 }
        held.count += 1
        counts.set(orderingKey, held)
      }
      return [...counts.values()]
    },

    openEvents: () =>
      new Set(all.flatMap(({ event, state }) => (state === 'resolved' ? [] : [event.id]))),

    forgetResolved() {
      const kept = all.filter(({ resolvedAt }) => (resolvedAt ?? now()) > now() - RESOLVED_KEPT_MS)
      for (const [at, delivery] of kept.entries()) all[at] = delivery
      all.length = kept.length
    },

    setAside(consumer, { remaining, note }) {
      const past = all.filter((each) => each.consumer === consumer && !each.isPast)
      const left = past.filter(({ state }) => state !== 'resolved')
      for (const each of past) each.isPast = true
      for (const each of left) {
        if (remaining === 'discard') {
          each.state = 'resolved'
          Object.assign(each, { resolution: 'discarded', note, resolvedAt: now() })
          continue
        }
        if (each.state === 'retrying') Object.assign(each, { reason: 'retired', deadAt: now() })
        each.state = 'retired'
      }
      const isKept = remaining === 'keep'
      return { kept: isKept ? left.length : 0, discarded: isKept ? 0 : left.length }
    },
  }

  /**
   * Returns a delivery and those that may be taken with it: the next ones of its ordering key, up
   * to the first that may not be taken.
   */
  function runOf(
    head: MemoryDelivery,
    most: number,
    joins: (delivery: MemoryDelivery) => boolean,
  ): MemoryDelivery[] {
    const next = retryingOf(head.consumer, head.event.slot)
      .filter(({ event }) => event.orderingKey === head.event.orderingKey)
      .filter(({ event }) => isBefore(head.event, event))
      .sort((one, other) => (isBefore(one.event, other.event) ? -1 : 1))
    const end = next.findIndex((each) => !joins(each))
    return [head, ...(end === -1 ? next : next.slice(0, end))].slice(0, most)
  }

  /** Keeps the delivery if it was ever dead; otherwise removes it as if it had never failed. */
  function resolve(delivery: MemoryDelivery): void {
    delivery.state = 'resolved'
    delivery.resolution = 'redriven'
    delivery.resolvedAt = now()
    delivery.starts = delivery.attempts
    if (delivery.redrives === 0) all.splice(all.indexOf(delivery), 1)
  }

  function letNextGo({ consumer, event }: MemoryDelivery): void {
    const [next] = retryingOf(consumer, event.slot)
      .filter((other) => other.event.orderingKey === event.orderingKey)
      .sort((one, other) => (isBefore(one.event, other.event) ? -1 : 1))
    if (next !== undefined && !Number.isFinite(next.dueAt)) next.dueAt = now()
  }
}

const RESOLVED_KEPT_MS = 30 * 86_400_000

/** Returns the first of each run, then the second of each, and so on. */
function inTurns(runs: readonly MemoryDelivery[][]): MemoryDelivery[] {
  const longest = Math.max(0, ...runs.map(({ length }) => length))
  return Array.from({ length: longest }, (_, at) => runs.flatMap((run) => run[at] ?? [])).flat()
}

function isBefore(one: { position: Position }, other: { position: Position }): boolean {
  return Number(one.position) < Number(other.position)
}

function pastAttempt(
  { startedAtMs, durationMs, error }: NonNullable<FailedDelivery['attempt']>,
  number: number,
): PastAttempt {
  return { number, startedAt: new Date(startedAtMs), durationMs: Math.round(durationMs), error }
}

/** A delivery as an operator sees it. */
export function deadLetterOf(delivery: MemoryDelivery): DeadLetterDetail {
  const { event, history } = delivery
  const last = history.at(-1)?.error
  return {
    id: delivery.id,
    origin: delivery.consumer,
    state: delivery.state,
    eventId: event.id,
    type: event.type,
    subject: event.subject,
    reason: delivery.reason,
    error:
      last === undefined
        ? null
        : {
            name: last.name,
            message: last.message,
            code: last.code,
            fingerprint: last.fingerprint,
          },
    attempts: delivery.attempts,
    redrives: delivery.redrives,
    occurredAt: new Date(event.occurredAtMs),
    firstFailedAt: new Date(delivery.firstFailedAt),
    deadAt: delivery.deadAt === null ? null : new Date(delivery.deadAt),
    dueAt:
      delivery.state === 'retrying' && Number.isFinite(delivery.dueAt)
        ? new Date(delivery.dueAt)
        : null,
    resolution: delivery.resolution,
    note: delivery.note,
    source: event.source,
    data: event.data,
    headers: JSON.parse(event.headers),
    history: [...history],
  }
}
