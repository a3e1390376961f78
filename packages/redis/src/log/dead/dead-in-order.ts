import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterPage,
  DeadLetterPageRequest,
} from '@oncekey/core'
import { allSlots } from '../keys/slot-keys.ts'
import { pickDeadScript } from '../scripts/dead/page-dead.ts'
import { type FoundNumbers, findByEventScript } from '../scripts/deliveries/find-by-event.ts'
import type { LogState } from '../state/log-state.ts'
import { type DeadOne, deadOne, isBehind, type Place, placeOf } from './dead-place.ts'
import { AT_ONCE, inPortions, slotsOf } from './dead-portions.ts'
import { walked } from './dead-walk.ts'
import { consumersOf } from './list-retrying.ts'

/**
 * Reads the letters that match, the oldest first: the streams of all slots merged into one, in
 * portions. Every function that takes a filter uses this one or `pageOfDead`, so a preview shows
 * exactly what a redrive will take.
 */
export async function* deadInOrder(
  log: LogState,
  filter: DeadLetterFilter,
): AsyncGenerator<DeadOne> {
  for await (const one of lookedAt(log, filter, undefined)) {
    if (isMeant(one.letter, filter)) yield one
  }
}

/**
 * Returns up to `limit` matching letters behind a place. Stops early after looking at a bounded
 * number of letters.
 */
export async function pageOfDead(
  log: LogState,
  filter: DeadLetterFilter,
  { limit, after }: DeadLetterPageRequest,
): Promise<DeadLetterPage> {
  const items: DeadLetter[] = []
  let looked = 0
  for await (const one of lookedAt(log, filter, after as Place | undefined)) {
    looked += 1
    if (isMeant(one.letter, filter)) items.push(one.letter)
    if (items.length >= limit || looked === LOOKED_AT) return { items, next: placeOf(one) }
  }
  return { items, next: undefined }
}

/** Yields letters in order. Reads as few non-matching letters as possible. */
export async function* lookedAt(
  log: LogState,
  filter: DeadLetterFilter,
  after: Place | undefined,
): AsyncGenerator<DeadOne> {
  const { ids, eventIds, retired = false } = filter
  if (ids !== undefined) yield* named(log, filter, slotsOf(ids), after)
  // The index by event does not contain letters of retired consumers.
  else if (eventIds === undefined || retired) yield* walked(log, filter, after)
  else yield* named(log, filter, await ofEvents(log, filter.origin, eventIds), after)
}

async function ofEvents(
  log: LogState,
  origin: string | undefined,
  eventIds: readonly string[],
): Promise<readonly FoundNumbers[]> {
  const consumers = origin === undefined ? await consumersOf(log) : [origin]
  const found: FoundNumbers[] = []
  const portion = Math.max(1, Math.floor(AT_ONCE / consumers.length))
  for (let at = 0; at < eventIds.length; at += portion) {
    const asked = { consumers, eventIds: eventIds.slice(at, at + portion) }
    const some = await log.askSlots(findByEventScript, allSlots, (slots) => ({ slots, ...asked }))
    found.push(...some.flat())
  }
  return found.filter(({ numbers }) => numbers.length > 0)
}

/** Yields letters that are named by id. They are read directly, however many others there are. */
async function* named(
  log: LogState,
  filter: DeadLetterFilter,
  names: readonly FoundNumbers[],
  after: Place | undefined,
): AsyncGenerator<DeadOne> {
  const isRetired = filter.retired === true
  const found: DeadOne[] = []
  for (const slots of inPortions(names)) {
    const pages = await log.askSlots(pickDeadScript, slots, (some) => ({ slots: some, isRetired }))
    for (const { slot, letters } of pages.flat()) {
      for (const kept of letters) found.push(deadOne(slot, kept))
    }
  }
  found.sort((one, other) => Number(one.diedAtUs) - Number(other.diedAtUs) || one.slot - other.slot)
  for (const one of found) if (after === undefined || isBehind(one, after)) yield one
}

export function isMeant(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  const is = <Value>(wanted: Value | undefined, value: Value): boolean =>
    wanted === undefined || wanted === value
  const deadAtMs = letter.deadAt?.getTime() ?? 0
  return (
    letter.state === (filter.retired === true ? 'retired' : 'dead') &&
    (filter.ids === undefined || filter.ids.includes(letter.id)) &&
    (filter.eventIds === undefined || filter.eventIds.includes(letter.eventId)) &&
    is(filter.origin, letter.origin) &&
    is(filter.type, letter.type) &&
    is<string | null>(filter.subject, letter.subject) &&
    is<string | null>(filter.reason, letter.reason) &&
    is(filter.fingerprint, letter.error?.fingerprint) &&
    (filter.deadBefore === undefined || deadAtMs < filter.deadBefore.getTime()) &&
    (filter.deadAfter === undefined || deadAtMs > filter.deadAfter.getTime())
  )
}

/** Deliveries that a page looks at: about a second of a server that does nothing else. */
const LOOKED_AT = 10_000
