import { bytesOfEvent, PAGE_BYTES, upToBytes } from './contracts/event-bytes.ts'
import { meansType } from './contracts/event-types.ts'
import type { DeadLetter, DeadLetterDetail, PastAttempt } from './dead-letter-source.ts'
import type { Due, FailedDelivery, Settle, TakeDue } from './delivery.ts'
import type { LoggedEvent, Position } from './event-log.ts'

/** A delivery as the memory log keeps it. */
export interface MemoryDelivery {
  readonly id: string
  readonly consumer: string
  readonly event: LoggedEvent
  state: DeadLetter['state']
  reason: DeadLetter['reason']
  attempts: number
  starts: number
  redrives: number
  /** Infinity for one that waits behind another of its ordering key. */
  dueAt: number
  readonly firstFailedAt: number
  deadAt: number | null
  resolvedAt: number | null
  resolution: DeadLetter['resolution']
  note: string | null
  readonly history: PastAttempt[]
}

/** What consumers could not take at once: the rules of every log, on an array. */
export interface MemoryDeliveries {
  readonly all: MemoryDelivery[]
  file(consumer: string, failed: FailedDelivery): void
  takeDue(request: TakeDue, mine: ReadonlySet<number>): Due
  settle(request: Settle, mine: ReadonlySet<number>): void
  held(
    consumer: string,
    slots: readonly number[],
  ): { slot: number; orderingKey: string; count: number }[]
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
      const isThere = all.some((each) => each.consumer === consumer && each.event.id === event.id)
      if (isThere) return
      ids += 1
      const dead = verdict.kind === 'dead'
      const delivery: MemoryDelivery = {
        id: String(ids),
        consumer,
        event,
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

    takeDue({ consumer, except, limit, types = null, maxBytes = PAGE_BYTES }, mine) {
      const waiting = [...mine]
        .flatMap((slot) => retryingOf(consumer, slot))
        .filter(({ id }) => !except.includes(id))
        .filter(({ event }) => types === null || meansType(types, event.type))
        .sort((one, other) => one.dueAt - other.dueAt)
      let due: readonly MemoryDelivery[] = waiting
        .filter(({ dueAt }) => dueAt <= now())
        .slice(0, limit)
      const dubious = due.find(({ starts, attempts }) => starts > attempts)
      if (dubious !== undefined) due = [dubious]
      due = upToBytes(due, maxBytes, ({ event }) => bytesOfEvent(event))
      for (const each of due) each.starts += 1
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

    settle({ settled }, mine) {
      for (const { id, slot, verdict, attempt } of settled) {
        const delivery = all.find((each) => each.id === id)
        if (delivery?.state !== 'retrying' || !mine.has(slot)) continue
        if (verdict.kind === 'done') {
          resolve(delivery)
        } else {
          if (attempt !== null) {
            delivery.attempts += 1
            delivery.history.push(pastAttempt(attempt, delivery.history.length + 1))
          }
          delivery.starts = delivery.attempts
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
  }

  /** Kept if it was dead once; otherwise it is as if it had never failed. */
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

function isBefore(one: { position: Position }, other: { position: Position }): boolean {
  return Number(one.position) < Number(other.position)
}

function pastAttempt(
  { startedAtMs, durationMs, error }: NonNullable<FailedDelivery['attempt']>,
  number: number,
): PastAttempt {
  return { number, startedAt: new Date(startedAtMs), durationMs: Math.round(durationMs), error }
}

/** As an operator sees it. */
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
    resolution: delivery.resolution,
    note: delivery.note,
    source: event.source,
    data: event.data,
    headers: JSON.parse(event.headers),
    history: [...history],
  }
}
