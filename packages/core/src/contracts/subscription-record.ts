import { coversTypes, normalTypes } from './events/event-types.ts'

/**
 * Which relays want which types of one consumer. A log keeps this so that two releases of a
 * consumer can run side by side. Every log stores it as one JSON text that it compares and sets;
 * the rules are here.
 *
 * A list of types is wanted while a relay with that list is alive. The newest list stays wanted for
 * 10 minutes after its last relay has gone, whether or not that relay left with `release`. An older
 * list does only if its relays disappeared without leaving. In both cases the relays may be
 * restarting. The types wanted are the union of these lists, and no relay may read fewer.
 */
export interface SubscriptionRecord {
  /** Grows with each change. */
  readonly version: number
  /** In order of arrival. */
  readonly lists: readonly WantedList[]
}

export interface WantedList {
  /** In normal form. */
  readonly types: readonly string[]
  /**
   * When the list was first seen. Milliseconds since 1970 by the log's clock, like all times here.
   */
  readonly since: number
  /** When a relay with it was last seen. */
  readonly seenAt: number
  /** Whether the last relay with this list left with `release`. */
  readonly left: boolean
  /** The relays with this list, and until when each counts as alive. */
  readonly relays: Readonly<Record<string, number>>
}

/** What a relay may do, given the record. */
export interface Standing {
  /** The types that must be read, in normal form: the union of all wanted lists. */
  readonly wanted: readonly string[]
  /**
   * Whether this relay reads. A relay whose list covers everything wanted reads, and while there is
   * one, relays with smaller lists give way. If no list covers everything, the relays of the oldest
   * live list read, and file the events that only another list takes.
   */
  readonly reads: boolean
  /** Whether this relay's own list is everything that is wanted. */
  readonly alone: boolean
}

export interface Enrolment {
  readonly types: readonly string[] | null
  /** `undefined`: the call only records the list, and no relay counts as alive by it. */
  readonly relay: string | undefined
  readonly leaseMs: number
  readonly nowMs: number
}

/** Returns the record with this relay and its list added. */
export function enrolled(
  record: SubscriptionRecord | null,
  { types: asked, relay, leaseMs, nowMs }: Enrolment,
): SubscriptionRecord {
  const types = normalTypes(asked)
  const before = withoutRelay(
    (record?.lists ?? []).map((list) => inTime(list, leaseMs, nowMs)),
    relay,
    nowMs,
  )
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

/** Returns the record without this relay, which is leaving. */
export function departed(
  record: SubscriptionRecord,
  relay: string,
  nowMs: number,
): SubscriptionRecord {
  return next(record, withoutRelay(record.lists, relay, nowMs), nowMs)
}

/** The union of the wanted lists, in normal form. A log compares it with a reader's list. */
export function wantedIn({ lists }: SubscriptionRecord, nowMs: number): readonly string[] {
  return normalTypes(wantedLists(lists, nowMs).flatMap(({ types }) => types))
}

/**
 * Measures with this process's monotonic clock how long ago the lists of each consumer were seen,
 * so that a list is not forgotten because the log's clock was set forward. A list that changed
 * since this process last looked is no older than that look. At its first look the process believes
 * the log's clock, except for a list with relays on record: they may be alive, because a clock that
 * was behind and is set right makes the times that they wrote look old. The next enrolment removes
 * them from the record, so that this holds once, however often processes start.
 */
export interface ListAges {
  /** Returns the record with no list older than this process has measured. */
  corrected(
    consumer: string,
    record: SubscriptionRecord | null,
    nowMs: number,
  ): SubscriptionRecord | null
}

export function listAges(monotonicMs: () => number = () => performance.now()): ListAges {
  /** For each consumer: when this process looked last, and when each list was last seen. */
  const looks = new Map<
    string,
    { readonly at: number; readonly lists: ReadonlyMap<string, Seen> }
  >()

  return {
    corrected(consumer, record, nowMs) {
      const at = monotonicMs()
      const before = looks.get(consumer)
      const seen = new Map<string, Seen>()
      const lists = (record?.lists ?? []).map((list) => {
        const name = JSON.stringify(list.types)
        const last = before?.lists.get(name)
        const byLog = at - (nowMs - list.seenAt)
        const atFirst = Object.keys(list.relays).length > 0 ? at : byLog
        const since =
          last?.seenAt === list.seenAt ? last.at : Math.max(byLog, before?.at ?? atFirst)
        const isTooOld = nowMs - list.seenAt >= REMEMBERED_MS && at - since < REMEMBERED_MS
        const seenAt = isTooOld ? Math.round(nowMs - (at - since)) : list.seenAt
        seen.set(name, { seenAt, at: since })
        return { ...list, seenAt }
      })
      looks.set(consumer, { at, lists: seen })
      return record && { ...record, lists }
    },
  }
}

/** When a list was last seen, by the log's clock and by this process's. */
interface Seen {
  readonly seenAt: number
  readonly at: number
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

/**
 * Drops relays whose expiry is much later than this relay's own. Such an expiry was written before
 * the clock was set back: the relay may be long gone, and others would give way to it.
 */
function inTime(list: WantedList, leaseMs: number, nowMs: number): WantedList {
  const most = nowMs + 10 * leaseMs
  const relays =
    leaseMs === 0
      ? Object.entries(list.relays)
      : Object.entries(list.relays).map(([relay, until]) => [relay, Math.min(until, most)] as const)
  return { ...list, seenAt: Math.min(list.seenAt, nowMs), relays: Object.fromEntries(relays) }
}

/**
 * Removes a relay from its earlier list, because it has one list at a time, and drops relays that
 * have expired.
 */
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

/**
 * How long a list without a live relay is kept: longer than any restart, shorter than it takes to
 * notice a rollback.
 */
const REMEMBERED_MS = 600_000
