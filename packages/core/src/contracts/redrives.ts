import type { Act, ActedBy } from '../acts/act.ts'
import { OptionsError } from '../errors/errors.ts'
import { checkedFilter, type DeadLetterFilter } from './dead-letter-filter.ts'
import type { Resolution } from './resolution.ts'

/**
 * Redrives on record. A redrive is started once, and then carried in portions by whoever works the
 * source: a relay, a webhook worker, a saga runner. It needs no process of its own.
 *
 * - A redrive takes the letters that matched its filter and were dead when it started. A letter
 *   that dies again afterwards is not taken a second time.
 * - If a process dies in the middle of a portion, the portion is either rolled back or finished by
 *   the next process. Each letter is put back and counted once.
 * - However many processes carry redrives, and however many redrives overlap, each letter is taken
 *   by one redrive.
 * - It goes on until everything was looked at, its limit is reached or somebody cancels it.
 * - A start that is sent again with the same `requestId` returns the first redrive and starts
 *   nothing. One that would take other letters under that name is refused.
 * - Starting and cancelling are acts, each with an entry in the audit trail.
 */
export interface Redrives extends RedriveRecords {
  /**
   * Starts a redrive and returns its id. Throws {@link OptionsError}, also for a filter with a
   * condition that there is not, or that is undefined or null.
   */
  start(filter: DeadLetterFilter, pace: RedriveStart, by?: ActedBy): Promise<string>
  /**
   * Carries one portion of each redrive of this source that has a portion due. Returns how many
   * letters it took and when the next portion is due: `null` where no redrive is running. If the
   * log's clock is put back, a redrive goes on at once.
   */
  carry(): Promise<Carried>
}

/** Reads redrives of any source, and ends one. */
export interface RedriveRecords {
  get(id: string): Promise<Redrive | undefined>
  /** Lists redrives, the newest first. */
  list(filter: RedriveFilter, page: RedrivePageRequest): Promise<RedrivePage>
  /** Lists what a redrive took, portion by portion, the first one first. */
  portions(id: string, page: RedrivePageRequest): Promise<RedrivePortionPage>
  /** Ends a redrive that is running. What it has taken stays taken. */
  cancel(id: string, act: Act): Promise<'cancelled' | 'over' | 'unknown'>
}

export interface RedrivePace {
  /** How many letters are taken per second, above 0. @default 50 */
  readonly ratePerSecond?: number
  /** The most letters to take. @default all that match */
  readonly limit?: number
}

export interface RedriveStart extends RedrivePace {
  /**
   * The caller's name for this start, 1 to 200 characters. If the start is repeated with the same
   * name, because its reply was lost, it returns the id of the first. Throws {@link OptionsError}
   * if that one has another filter or limit; times are not compared. @default none; each start is a
   * redrive
   */
  readonly requestId?: string
}

export interface Redrive {
  readonly id: string
  /** `consumers`, `webhooks`, `sagas`. */
  readonly source: string
  /**
   * `dead-letters`, or `window`: everything that was sent to one endpoint within a span of time.
   */
  readonly kind: 'dead-letters' | 'window'
  /** The filter that the redrive was started with, as JSON; times are ISO 8601 texts. */
  readonly filter: Readonly<Record<string, unknown>>
  readonly ratePerSecond: number
  readonly limit: number | null
  readonly state: 'running' | 'done' | 'cancelled'
  /** How many matched when it started. A source may stop counting at 100,000. */
  readonly matched: number
  readonly redriven: number
  /**
   * How many matched and were not taken, because they were done already or somebody else took them.
   */
  readonly refused: number
  readonly actor: string
  readonly note: string
  readonly startedAt: Date
  readonly endedAt: Date | null
}

export interface RedriveFilter {
  readonly source?: string
  readonly state?: Redrive['state']
}

export interface RedrivePageRequest {
  /** 1 to 1,000. */
  readonly limit: number
  /** `next` of the previous page. */
  readonly after?: string
}

export interface RedrivePage {
  readonly items: readonly Redrive[]
  readonly next: string | undefined
}

export interface RedrivePortion {
  readonly at: Date
  /** The ids of the letters that the portion put back. */
  readonly redriven: readonly string[]
  readonly refused: readonly Resolution[]
}

export interface RedrivePortionPage {
  readonly items: readonly RedrivePortion[]
  readonly next: string | undefined
  /** The token to continue with once there are more portions; `undefined` for an empty page. */
  readonly last: string | undefined
}

export interface Carried {
  readonly redriven: number
  /** When the next portion is due. Milliseconds; 0 or less means at once. */
  readonly nextInMs: number | null
}

/** Validates a `requestId` of this function. Throws {@link OptionsError}. */
export function checkedRequestId(
  requestId: string | undefined,
  what = 'redrive',
): string | undefined {
  if (requestId === undefined) return undefined
  const isText = typeof requestId === 'string' && !requestId.includes('\0')
  if (isText && requestId.trim() !== '' && requestId.length <= 200) return requestId
  throw new OptionsError(
    `${what}: requestId must be 1 to 200 characters, without a NUL, such as crypto.randomUUID().`,
  )
}

/** What a redrive takes: of which kind it is, its filter and its limit. */
export type RedriveScope = Pick<Redrive, 'id' | 'kind' | 'limit'> & { readonly filter: object }

/**
 * Refuses a start under the name of a redrive that takes something else. Of a filter's times only
 * which are given is compared, because a caller that reckons them from now has others when it
 * repeats the start; those of a window are what it takes, and count. Throws {@link OptionsError}.
 */
export function checkSameStart(known: RedriveScope, asked: Omit<RedriveScope, 'id'>): void {
  if (scopeText(known) === scopeText(asked)) return
  throw new OptionsError(
    `redrive: this requestId is the name of redrive ${known.id}, which has another filter or limit. ` +
      'Nothing was started: give this one a requestId of its own.',
  )
}

function scopeText({ kind, filter, limit }: Omit<RedriveScope, 'id'>): string {
  const conditions = Object.entries(filter)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) => [name, TIMES.includes(name) && kind !== 'window' ? true : value] as const,
    )
    .sort(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify([kind, limit, conditions])
}

const TIMES = ['deadAfter', 'deadBefore', 'since', 'until']

/** Validates a filter and a pace, and fills in the defaults. Throws {@link OptionsError}. */
export function checkedPace(
  filter: DeadLetterFilter,
  { ratePerSecond = 50, limit }: RedrivePace = {},
): { readonly ratePerSecond: number; readonly limit: number | null } {
  if (checkedFilter('redrive', filter).retired === true) {
    throw new OptionsError(
      'redrive: dead letters of a retired consumer have no consumer to go to. Append such an event ' +
        'again with append(), or discard it.',
    )
  }
  if (!(Number.isFinite(ratePerSecond) && ratePerSecond > 0)) {
    throw new OptionsError(`redrive: ratePerSecond must be a number above 0, not ${ratePerSecond}.`)
  }
  if (limit === undefined || limit === Number.POSITIVE_INFINITY) {
    return { ratePerSecond, limit: null }
  }
  if (!(Number.isInteger(limit) && limit >= 1)) {
    throw new OptionsError(`redrive: limit must be a whole number from 1, not ${limit}.`)
  }
  return { ratePerSecond, limit }
}
