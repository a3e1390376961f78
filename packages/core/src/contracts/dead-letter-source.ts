import type { ActedBy } from '../acts/act.ts'
import type { DeadLetterFilter, RetryingFilter } from './dead-letter-filter.ts'
import type { AttemptError, DeadReason } from './delivery.ts'
import type { Redrives } from './redrives.ts'
import type { Replaced, Resolution } from './resolution.ts'

export type { DeadLetterFilter, RetryingFilter } from './dead-letter-filter.ts'
export type { Replaced, Resolution } from './resolution.ts'

/**
 * The contract of whatever keeps dead letters: the log for its consumers, webhooks for their
 * endpoints, sagas for their runs. `deadLetters()` of `@oncekey/outbox` turns it into a tool for
 * operators.
 *
 * - `count`, `list` and `redrive` interpret a filter with one predicate, so that a preview shows
 *   exactly what a redrive will do.
 * - A filter with a condition that there is not, or that is undefined or null, is refused with
 *   `OptionsError`: it would match what nobody meant, and at worst all.
 * - A redriven delivery keeps its event id, so that a receiver recognizes an event that has already
 *   taken effect there.
 * - A redrive deletes nothing: what cannot be redriven stays, and the reason is returned.
 * - Acts on the same letters at once wait for each other: none fails because of another, and each
 *   letter has one outcome.
 */
export interface DeadLetterSource {
  /** What kind of dead letters these are: `consumers`, `webhooks`, `sagas`. */
  readonly name: string

  /**
   * Lists dead letters, the oldest first. A page may examine a bounded number of them, so with a
   * filter it may be short, or empty, and still have a `next`.
   */
  list(filter: DeadLetterFilter, page: DeadLetterPageRequest): Promise<DeadLetterPage>
  /**
   * Lists failed deliveries that will be tried again, by origin and then in the source's own order.
   * A delivery that is tried while the list is read may appear twice or not at all; every other
   * appears once. Each page examines a bounded number of rows, so with a filter it may be short and
   * still have a `next`.
   */
  listRetrying(filter: RetryingFilter, page: DeadLetterPageRequest): Promise<DeadLetterPage>
  /** Returns a letter with every attempt, even if it is no longer dead. */
  get(id: string): Promise<DeadLetterDetail | undefined>
  /**
   * Counts the matching letters, which are those that `redrive` would take. Unless the filter
   * names letters or events, a source may look at the oldest `LETTERS_LOOKED_AT` only. So the count
   * may be too low where `stats` tells of more dead letters than that.
   */
  count(filter: DeadLetterFilter): Promise<number>
  /**
   * Redrives at most `limit` matching letters, the oldest first, and skips those that are
   * `retired`. A source with an audit trail writes one entry for all of them, in the same commit.
   */
  redrive(
    filter: DeadLetterFilter,
    options: { readonly limit: number } & ActedBy,
  ): Promise<Redriven>
  /**
   * Marks dead or retired letters as never to be delivered. `note` records why. A source with an
   * audit trail writes an entry for each letter, in the same commit. If it fails when some are
   * known to be discarded, it does not throw: the result has these, and the others as `failed`,
   * of which it is not known whether they were discarded, too.
   */
  discard(ids: readonly string[], note: string, by?: ActedBy): Promise<readonly Resolution[]>
  /**
   * Redrives one dead letter with other data (JSON text), under a new event id. The old letter is
   * resolved and the new delivery takes its place; each names the other, the new event has the old
   * one's id in its header `replaces`, and the audit entry has the differences. Throws
   * `event-invalid` for what `append` would refuse. Absent where a source cannot replace data.
   */
  replace?(id: string, data: string, by?: ActedBy): Promise<Replaced>
  stats(): Promise<DeadLetterStats>

  /** The redrives that the source keeps on record; absent where it keeps none. */
  readonly redrives?: Redrives
}

export interface DeadLetterPageRequest {
  readonly limit: number
  /** `next` of the previous page. */
  readonly after?: string
}

export interface DeadLetterPage {
  readonly items: readonly DeadLetter[]
  readonly next: string | undefined
}

export interface DeadLetter {
  /** The id of the letter, unique in its source. */
  readonly id: string
  readonly origin: string
  /** `retired`: dead, and its consumer was retired. */
  readonly state: 'dead' | 'retrying' | 'resolved' | 'retired'
  readonly eventId: string
  readonly type: string
  readonly subject: string | null
  readonly reason: DeadReason | null
  /** The error of the last attempt. */
  readonly error: Omit<AttemptError, 'stack'> | null
  readonly attempts: number
  readonly redrives: number
  readonly occurredAt: Date
  readonly firstFailedAt: Date
  readonly deadAt: Date | null
  /**
   * When a retrying delivery is tried next; `null` while it waits behind an earlier delivery of its
   * ordering key.
   */
  readonly dueAt: Date | null
  /** How an operator or a later attempt ended it. */
  readonly resolution: 'redriven' | 'already-done' | 'discarded' | 'replaced' | null
  readonly note: string | null
}

export interface DeadLetterDetail extends DeadLetter {
  readonly source: string
  /** The letter that this one replaces, and the delivery that has replaced this one. */
  readonly replaces?: string | null
  readonly replacedBy?: string | null
  /** JSON text. */
  readonly data: string
  readonly headers: Readonly<Record<string, string>>
  readonly history: readonly PastAttempt[]
}

export interface PastAttempt {
  readonly number: number
  readonly startedAt: Date
  readonly durationMs: number
  readonly error: AttemptError
}

export interface Redriven {
  /** The ids of the letters that were put back and are now `retrying`. */
  readonly redriven: readonly string[]
  /**
   * The letters that were not redriven, each with the reason: of the ids that the filter names or,
   * if it names none, of the letters that matched.
   */
  readonly refused: readonly Resolution[]
}

export interface DeadLetterStats {
  /** How many dead letters there are. A source that takes long to count stops at 100,000. */
  readonly depth: number
  readonly oldestAgeMs: number | null
  /** Rates over the last hour. */
  readonly arrivedPerMinute: number
  readonly drainedPerMinute: number
  /**
   * The largest group first, at most 100 groups. Where there are many dead letters, only the 5,000
   * newest are grouped (on Redis the 10,000 oldest).
   */
  readonly groups: readonly DeadLetterGroup[]
}

export interface DeadLetterGroup {
  readonly origin: string
  readonly fingerprint: string
  readonly count: number
  readonly oldestAt: Date
  readonly newestAt: Date
  /** One letter of the group, as an example. */
  readonly sample: { readonly id: string; readonly name: string; readonly message: string }
}
