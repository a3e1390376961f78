import { type ActedBy, actedBy, actTarget } from '../acts/act.ts'
import {
  checkedFilter,
  checkedRetryingFilter,
  type DeadLetterFilter,
  type RetryingFilter,
} from '../contracts/dead-letter-filter.ts'
import type {
  DeadLetterGroup,
  DeadLetterSource,
  Resolution,
} from '../contracts/dead-letter-source.ts'
import { deadLetterOf, type MemoryDeliveries, type MemoryDelivery } from './memory-deliveries.ts'
import type { MemoryInbox } from './memory-inbox.ts'
import { memoryRedrives } from './memory-redrives.ts'
import type { MemoryTrail } from './memory-trail.ts'

/** The dead letters of a memory log. */
export function memoryDeadLetters(
  { all }: MemoryDeliveries,
  inbox: MemoryInbox,
  trail: MemoryTrail,
  now: () => number,
): DeadLetterSource {
  const meant = (filter: DeadLetterFilter): MemoryDelivery[] =>
    all
      .filter((each) => isMeant(each, filter))
      .sort((one, other) => (one.deadAt ?? 0) - (other.deadAt ?? 0) || order(one) - order(other))

  return {
    name: 'consumers',

    redrives: memoryRedrives({ now, trail, meant, putBack }),

    async list(filter, { limit, after }) {
      const matching = meant(checkedFilter('list', filter))
      const start = after === undefined ? 0 : matching.findIndex(({ id }) => id === after) + 1
      const items = matching.slice(start, start + limit)
      const last = items.at(-1)
      return {
        items: items.map(deadLetterOf),
        next: items.length < limit ? undefined : last?.id,
      }
    },

    async listRetrying(filter, { limit, after }) {
      checkedRetryingFilter('listRetrying', filter)
      const matching = all
        .filter((each) => each.state === 'retrying' && isAbout(each, filter))
        .sort((one, other) => order(one) - order(other))
      const items = matching
        .filter(({ id }) => after === undefined || Number(id) > Number(after))
        .slice(0, limit)
      return {
        items: items.map(deadLetterOf),
        next: items.length < limit ? undefined : items.at(-1)?.id,
      }
    },

    async get(id) {
      const delivery = all.find((each) => each.id === id)
      return delivery === undefined ? undefined : deadLetterOf(delivery)
    },

    async count(filter) {
      return meant(checkedFilter('count', filter)).length
    },

    async redrive(filter, { limit, ...given }) {
      const by = actedBy('redrive', given)
      checkedFilter('redrive', filter)
      const redriven: string[] = []
      const refused: Resolution[] = []
      const taken = filter.retired === true ? [] : meant(filter).slice(0, limit)
      for (const delivery of taken) {
        if (putBack(delivery) === 'redriven') redriven.push(delivery.id)
        else refused.push({ id: delivery.id, outcome: 'already-done' })
      }
      if (taken.length > 0) {
        acted('dead-letters.redrive', ['dead-letters', 'consumers'], by, {
          ids: taken.map(({ id }) => id),
        })
      }
      const touched = new Set(taken.map(({ id }) => id))
      const others = (filter.ids ?? []).filter((id) => !touched.has(id)).map(stateOf)
      return { redriven, refused: [...refused, ...others] }
    },

    async discard(ids, note, given) {
      const by = { ...actedBy('discard', given), note }
      return ids.map((id) => {
        const delivery = all.find((each) => each.id === id)
        if (delivery?.state !== 'dead' && delivery?.state !== 'retired') return stateOf(id)
        resolve(delivery, 'discarded', note)
        const { consumer: origin, event } = delivery
        const detail = { origin, eventId: event.id, type: event.type }
        acted('dead-letters.discard', ['dead-letter', 'consumers', id], by, detail)
        return { id, outcome: 'discarded' }
      })
    },

    async stats() {
      const dead = meant({})
      const lately = (at: number | null): boolean => at !== null && at > now() - HOUR_MS
      return {
        depth: dead.length,
        oldestAgeMs: dead[0]?.deadAt == null ? null : now() - dead[0].deadAt,
        arrivedPerMinute: all.filter(({ deadAt }) => lately(deadAt)).length / 60,
        drainedPerMinute: all.filter(({ resolvedAt }) => lately(resolvedAt)).length / 60,
        groups: groupsOf(dead),
      }
    },
  }

  /** Puts a letter back, unless the consumer has taken in its event after all. */
  function putBack(delivery: MemoryDelivery): 'redriven' | 'already-done' {
    if (inbox.has(delivery.consumer, delivery.event.id)) {
      resolve(delivery, 'already-done', null)
      return 'already-done'
    }
    Object.assign(delivery, { state: 'retrying', attempts: 0, starts: 0, dueAt: now() })
    delivery.redrives += 1
    return 'redriven'
  }

  function acted(
    act: string,
    [kind, ...names]: readonly [string, ...string[]],
    by: { readonly [Part in keyof ActedBy]-?: string | null },
    detail: Readonly<Record<string, unknown>>,
  ): void {
    trail.add({ atMs: now(), ...by, act, target: actTarget(kind, ...names), detail })
  }

  function resolve(
    delivery: MemoryDelivery,
    resolution: MemoryDelivery['resolution'],
    note: string | null,
  ): void {
    Object.assign(delivery, { state: 'resolved', resolution, note, resolvedAt: now() })
  }

  function stateOf(id: string): Resolution {
    const delivery = all.find((each) => each.id === id)
    if (delivery === undefined) return { id, outcome: 'unknown' }
    if (delivery.state === 'retrying') return { id, outcome: 'retrying' }
    if (delivery.state === 'dead') return { id, outcome: 'not-matched' }
    if (delivery.state === 'retired') return { id, outcome: 'retired' }
    return {
      id,
      outcome: delivery.resolution === 'discarded' ? 'already-discarded' : 'already-done',
    }
  }
}

const HOUR_MS = 3_600_000

function order({ id }: MemoryDelivery): number {
  return Number(id)
}

function isMeant(delivery: MemoryDelivery, filter: DeadLetterFilter): boolean {
  const { event, deadAt } = delivery
  return (
    delivery.state === (filter.retired === true ? 'retired' : 'dead') &&
    deadAt !== null &&
    (filter.ids === undefined || filter.ids.includes(delivery.id)) &&
    (filter.eventIds === undefined || filter.eventIds.includes(event.id)) &&
    isAbout(delivery, filter) &&
    is<string | null>(filter.reason, delivery.reason) &&
    is(filter.fingerprint, delivery.history.at(-1)?.error.fingerprint) &&
    (filter.deadBefore === undefined || deadAt < filter.deadBefore.getTime()) &&
    (filter.deadAfter === undefined || deadAt > filter.deadAfter.getTime())
  )
}

function isAbout({ consumer, event }: MemoryDelivery, filter: RetryingFilter): boolean {
  return (
    is(filter.origin, consumer) &&
    is(filter.type, event.type) &&
    is<string | null>(filter.subject, event.subject)
  )
}

function is<Value>(wanted: Value | undefined, value: Value): boolean {
  return wanted === undefined || wanted === value
}

function groupsOf(dead: readonly MemoryDelivery[]): DeadLetterGroup[] {
  const groups = new Map<string, MemoryDelivery[]>()
  for (const each of dead) {
    const name = JSON.stringify([each.consumer, each.history.at(-1)?.error.fingerprint])
    groups.set(name, [...(groups.get(name) ?? []), each])
  }
  return [...groups.values()]
    .sort((one, other) => other.length - one.length)
    .slice(0, 100)
    .flatMap((group) => {
      const [oldest] = group
      const newest = group.at(-1)
      if (oldest === undefined || newest === undefined) return []
      const error = newest.history.at(-1)?.error
      return {
        origin: newest.consumer,
        fingerprint: error?.fingerprint ?? '',
        count: group.length,
        oldestAt: new Date(oldest.deadAt ?? 0),
        newestAt: new Date(newest.deadAt ?? 0),
        sample: { id: newest.id, name: error?.name ?? '', message: error?.message ?? '' },
      }
    })
}
