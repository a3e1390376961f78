import { coversTypes, normalTypes } from './event-types.ts'

/**
 * Who wants which types of one consumer: what a log keeps so that two releases of a consumer can run
 * side by side. Every log keeps it as one JSON text that it compares and sets; the rules are here.
 *
 * A list of types is wanted while a relay with that list is alive. The newest list stays wanted for a
 * while after its last relay has gone, however it went, and an older one if its relays went without a
 * word: either may be restarting. What is wanted is the union of these, and nobody may read less.
 */
export interface SubscriptionRecord {
  /** Grows with each change. */
  readonly version: number
  /** In the order in which they came. */
  readonly lists: readonly WantedList[]
}

export interface WantedList {
  /** In normal form. */
  readonly types: readonly string[]
  /** When the list came. Milliseconds since 1970, by the log's clock, as all times here. */
  readonly since: number
  /** When a relay with it was heard of last. */
  readonly seenAt: number
  /** The last relay with it has said that it leaves. */
  readonly left: boolean
  /** The relays that have it, and until when each counts as alive. */
  readonly relays: Readonly<Record<string, number>>
}

/** What a relay may do, given what is on record. */
export interface Standing {
  /** The types that must be read, in normal form: the union of all lists that are wanted. */
  readonly wanted: readonly string[]
  /**
   * Whether this relay reads. One whose list covers all that is wanted does; while there is one, those
   * with less give way. Where no list covers all, the oldest that is alive reads, and files what only
   * another takes.
   */
  readonly reads: boolean
  /** Whether all that is wanted is this relay's own list. */
  readonly alone: boolean
}

export interface Enrolment {
  readonly types: readonly string[] | null
  /** `undefined`: nobody is alive by this, the list is only put on record. */
  readonly relay: string | undefined
  readonly leaseMs: number
  readonly nowMs: number
}

/** The record with this relay and its list in it. */
export function enrolled(
  record: SubscriptionRecord | null,
  { types: asked, relay, leaseMs, nowMs }: Enrolment,
): SubscriptionRecord {
  const types = normalTypes(asked)
  const before = withoutRelay(record?.lists ?? [], relay, nowMs)
  const known = before.find((list) => isSame(list.types, types))
  const relays = known?.relays ?? {}
  const list: WantedList = {
    types,
    since: known?.since ?? Math.max(nowMs, ...before.map(({ since }) => since + 1)),
    seenAt: nowMs,
    left: false,
    relays: relay === undefined ? relays : { ...relays, [relay]: nowMs + leaseMs },
  }
  const others = before.filter((each) => each !== known)
  return next(record, [...others, list], nowMs)
}

/** The record without this relay, which has said that it leaves. */
export function departed(
  record: SubscriptionRecord,
  relay: string,
  nowMs: number,
): SubscriptionRecord {
  return next(record, withoutRelay(record.lists, relay, nowMs), nowMs)
}

/** The union of what is wanted, in normal form: what a log compares a reader's list with. */
export function wantedIn({ lists }: SubscriptionRecord, nowMs: number): readonly string[] {
  return normalTypes(wantedLists(lists, nowMs).flatMap(({ types }) => types))
}

export function standingOf(
  { lists }: SubscriptionRecord,
  asked: readonly string[] | null,
  nowMs: number,
): Standing {
  const own = normalTypes(asked)
  const onRecord = wantedLists(lists, nowMs)
  const wanted = normalTypes(onRecord.flatMap(({ types }) => types))
  const alive = onRecord.filter((list) => isAlive(list, nowMs))
  const covering = alive.some(({ types }) => coversTypes(types, wanted))
  const oldest = alive[0]?.types ?? own
  return {
    wanted,
    reads: covering ? coversTypes(own, wanted) : isSame(own, oldest),
    alone: isSame(own, wanted) && onRecord.every(({ types }) => isSame(types, own)),
  }
}

export function subscriptionRecord(text: string | null | undefined): SubscriptionRecord | null {
  return text == null || text === '' ? null : JSON.parse(text)
}

function next(
  before: SubscriptionRecord | null,
  lists: readonly WantedList[],
  nowMs: number,
): SubscriptionRecord {
  return {
    version: Math.max(nowMs, (before?.version ?? 0) + 1),
    lists: lists
      .filter((list) => isAlive(list, nowMs) || nowMs - list.seenAt < REMEMBERED_MS)
      .sort((one, other) => one.since - other.since),
  }
}

/** A relay has one list; it is taken out of whatever it had before, with those whose time is over. */
function withoutRelay(
  lists: readonly WantedList[],
  relay: string | undefined,
  nowMs: number,
): WantedList[] {
  return lists.map((list) => {
    const alive = Object.entries(list.relays).filter(([, until]) => until >= nowMs)
    const rest = alive.filter(([name]) => name !== relay)
    const leaves = relay !== undefined && relay in list.relays
    return {
      ...list,
      seenAt: leaves ? nowMs : list.seenAt,
      left: leaves ? rest.length === 0 : list.left,
      relays: Object.fromEntries(rest),
    }
  })
}

function wantedLists(lists: readonly WantedList[], nowMs: number): readonly WantedList[] {
  const newest = lists.at(-1)
  return lists.filter((list) => {
    if (isAlive(list, nowMs)) return true
    return nowMs - list.seenAt < REMEMBERED_MS && (list === newest || !list.left)
  })
}

function isAlive({ relays }: WantedList, nowMs: number): boolean {
  return Object.values(relays).some((until) => until >= nowMs)
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((type, at) => type === other[at])
}

/** How long a list is kept that nobody alive has: longer than any restart, shorter than a rollback is noticed. */
const REMEMBERED_MS = 600_000
