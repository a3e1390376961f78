import type { AttemptError, DeadReason } from './delivery.ts'

/**
 * Whatever keeps dead letters: the log for its consumers, webhooks for their endpoints, sagas for
 * their runs. `deadLetters()` of `@oncekey/outbox` makes an operator's tool of it.
 *
 * - `count`, `list` and `redrive` understand a filter in the same way: one predicate, so that a preview
 *   says what a redrive will do.
 * - A redriven delivery keeps its event id, so that whoever took effect for it knows it again.
 * - Nothing is deleted by a redrive: what cannot be redriven stays, and the reason is told.
 */
export interface DeadLetterSource {
  /** What is dead here: `consumers`, `webhooks`, `sagas`. */
  readonly name: string

  /** The oldest first. */
  list(filter: DeadLetterFilter, page: DeadLetterPageRequest): Promise<DeadLetterPage>
  /** With every attempt; also one that is not dead any more. */
  get(id: string): Promise<DeadLetterDetail | undefined>
  /** How many match; what `redrive` would take. */
  count(filter: DeadLetterFilter): Promise<number>
  /** Puts back at most `limit` of those that match, the oldest first. */
  redrive(filter: DeadLetterFilter, options: { readonly limit: number }): Promise<Redriven>
  /** Marks them as never to be delivered; `note` says why, for whoever looks later. */
  discard(ids: readonly string[], note: string): Promise<readonly Resolution[]>
  stats(): Promise<DeadLetterStats>
}

/** All that are given must hold. Nothing given: all of them. */
export interface DeadLetterFilter {
  readonly ids?: readonly string[]
  readonly eventIds?: readonly string[]
  /** A consumer, an endpoint, a saga. */
  readonly origin?: string
  readonly type?: string
  readonly subject?: string
  readonly reason?: DeadReason
  /** A kind of error: `error.fingerprint`. */
  readonly fingerprint?: string
  readonly deadBefore?: Date
  readonly deadAfter?: Date
}

export interface DeadLetterPageRequest {
  readonly limit: number
  /** `next` of the page before. */
  readonly after?: string
}

export interface DeadLetterPage {
  readonly items: readonly DeadLetter[]
  readonly next: string | undefined
}

export interface DeadLetter {
  /** Unique in its source. */
  readonly id: string
  readonly origin: string
  readonly state: 'dead' | 'retrying' | 'resolved'
  readonly eventId: string
  readonly type: string
  readonly subject: string | null
  readonly reason: DeadReason | null
  /** Of the last attempt. */
  readonly error: Omit<AttemptError, 'stack'> | null
  readonly attempts: number
  readonly redrives: number
  readonly occurredAt: Date
  readonly firstFailedAt: Date
  readonly deadAt: Date | null
  /** How it ended, once it has. */
  readonly resolution: 'redriven' | 'already-done' | 'discarded' | null
  readonly note: string | null
}

export interface DeadLetterDetail extends DeadLetter {
  readonly source: string
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
  /** Put back: they are `retrying` now. */
  readonly redriven: readonly string[]
  /** Left as they are, or found to be done. Only those that were asked for by id, or matched. */
  readonly refused: readonly Resolution[]
}

/** What became of one that was asked for. */
export interface Resolution {
  readonly id: string
  readonly outcome:
    | 'discarded'
    /** It has taken effect: there is nothing to redrive. */
    | 'already-done'
    | 'already-discarded'
    | 'retrying'
    /** Dead, and left so: the rest of the filter does not match it, the limit was reached, or somebody else has it just now. */
    | 'not-matched'
    | 'unknown'
}

export interface DeadLetterStats {
  /** Counted up to 100,000 where counting them all takes long. */
  readonly depth: number
  readonly oldestAgeMs: number | null
  /** Of the last hour, by the minute. */
  readonly arrivedPerMinute: number
  readonly drainedPerMinute: number
  /** The largest first; at most 100. Where there are many, of the 10,000 newest. */
  readonly groups: readonly DeadLetterGroup[]
}

export interface DeadLetterGroup {
  readonly origin: string
  readonly fingerprint: string
  readonly count: number
  readonly oldestAt: Date
  readonly newestAt: Date
  /** One of them, to look at. */
  readonly sample: { readonly id: string; readonly name: string; readonly message: string }
}
