import { attemptError } from '../consumer/attempt-error.ts'
import type { Backoff } from '../consumer/backoff.ts'
import { PostponedError } from '../consumer/postponed-error.ts'

/**
 * Tells failures of one destination from failures of the broker: a stream that the user may not
 * write to, a topic without a leader, a node of a cluster fail while other destinations take what
 * they are sent.
 *
 *   fine ──fails──> in doubt ──fails, and another has succeeded meanwhile──> apart: wait, one tries
 *    ^                 └─success─┐                                                │
 *    └───────────────────────────┴────────────────────success─────────────────────┘
 *
 * Where the broker itself says that the failure is the destination's, the destination is apart from
 * the first failure on, if another one has succeeded lately, and always if it is missing. It stays
 * apart for as long as others succeed; when none does, its events wait for the broker like all
 * others.
 */
export interface Destinations {
  /**
   * Begins a send and returns the moment, for `failed`. Throws {@link PostponedError} where it is
   * too early for this destination. A probe of the whole broker is never too early.
   */
  begin(to: string, isProbe: boolean): number
  succeeded(to: string): void
  /**
   * The event itself was refused, which says nothing about the destination: it may be tried at
   * once.
   */
  refused(to: string): void
  /**
   * Says whether that is the destination's own failure, and not the broker's. `said`: what the
   * broker has said of it.
   */
  failed(to: string, error: unknown, begunAt: number, said?: DestinationFailure): boolean
  /** Whether its last send failed. */
  isInDoubt(to: string): boolean
  /** Whether anything was ever sent to another destination. */
  isOneOfMany(to: string): boolean
  /** The error for an event that is put off instead of waiting; `cause` is the broker's failure. */
  putOff(to: string, cause: unknown): PostponedError
}

/**
 * What the broker says of a destination. `missing`: it does not exist, or nobody takes from it.
 * `refused`: it takes nothing now.
 */
export type DestinationFailure = 'missing' | 'refused'

export function destinations(of: {
  /** The publisher's name, for errors. */
  readonly name: string
  readonly backoff: Backoff
}): Destinations {
  const { name, backoff } = of
  const failing = new Map<string, Failing>()
  const untried = failingSince(0)
  const first = new Set<string>()
  let successes = 0
  let newest: Success = { to: undefined, number: 0, at: Number.NEGATIVE_INFINITY }
  /** The newest success of any other destination. */
  let newestElsewhere: Success = newest

  return {
    begin(to, isProbe) {
      if (first.size < 2) first.add(to)
      const its = failing.get(to)
      if (its !== undefined && isApart(to, its)) {
        const isTooSoon = its.isTrying || performance.now() < its.tryAt
        if (isTooSoon && !isProbe) throw postponed(to, its)
        its.isTrying = true
      }
      return successes
    },

    succeeded(to) {
      successes += 1
      if (newest.to !== to) newestElsewhere = newest
      newest = { to, number: successes, at: performance.now() }
      failing.delete(to)
    },

    refused(to) {
      const its = failing.get(to)
      if (its !== undefined) its.isTrying = false
    },

    failed(to, error, begunAt, said) {
      const its = failing.get(to) ?? added(to, begunAt)
      its.isMissing = said === 'missing'
      // This send began before the last failure, which already counts.
      if (isApart(to, its) && !its.isTrying) return true
      its.isApart ||=
        said === undefined
          ? haveOthersSucceeded(to, Math.min(begunAt, its.failedAt))
          : isOtherTaking(to)
      its.failedAt = successes
      its.failures += 1
      its.error = error
      its.isTrying = false
      its.tryAt = performance.now() + Math.min(backoff(its.failures), LONGEST_WAIT_MS)
      return isApart(to, its)
    },

    isInDoubt: (to) => failing.has(to),
    isOneOfMany: (to) => first.size > 1 || (first.size === 1 && !first.has(to)),
    putOff(to, cause) {
      untried.error = cause
      return postponed(to, failing.get(to) ?? untried)
    },
  }

  /**
   * Only while others succeed: where none does it may be the broker, and the event waits for that.
   */
  function isApart(to: string, its: Failing): boolean {
    return its.isMissing || (its.isApart && isOtherTaking(to))
  }

  function isOtherTaking(to: string): boolean {
    return elsewhereThan(to).at > performance.now() - LATELY_MS
  }

  function elsewhereThan(to: string): Success {
    return newest.to === to ? newestElsewhere : newest
  }

  function added(to: string, failedAt: number): Failing {
    const [oldest] = failing.keys()
    if (failing.size >= MOST_FAILING && oldest !== undefined) failing.delete(oldest)
    const its = failingSince(failedAt)
    failing.set(to, its)
    return its
  }

  function haveOthersSucceeded(to: string, since: number): boolean {
    return elsewhereThan(to).number > since
  }

  /** Events that are put off come back one after the other, not all at once. */
  function postponed(to: string, its: Failing): PostponedError {
    const now = performance.now()
    its.nextAt = Math.min(Math.max(its.nextAt, its.tryAt, now) + APART_MS, now + LONGEST_DELAY_MS)
    const { message: why } = attemptError(its.error)
    return new PostponedError(
      `Publisher "${name}" does not try ${JSON.stringify(to)} just now: ${why}`,
      its.nextAt - now,
      its.error,
    )
  }
}

function failingSince(failedAt: number): Failing {
  return {
    error: undefined,
    failures: 0,
    failedAt,
    isApart: false,
    isMissing: false,
    isTrying: false,
    tryAt: 0,
    nextAt: 0,
  }
}

interface Failing {
  error: unknown
  /** In a row. */
  failures: number
  /** The number of successes, of all destinations, before its last failure. */
  failedAt: number
  isApart: boolean
  /** The broker says that it does not exist. */
  isMissing: boolean
  /** While apart: one send is under way. */
  isTrying: boolean
  tryAt: number
  /** When the last event that was put off comes back. */
  nextAt: number
}

interface Success {
  readonly to: string | undefined
  readonly number: number
  readonly at: number
}

/** How long one destination's success proves that the broker is up. Milliseconds. */
const LATELY_MS = 5_000

/** Events that are put off come back after it, though the destination may recover long before. */
const LONGEST_WAIT_MS = 5_000
const APART_MS = 10
const LONGEST_DELAY_MS = 60_000
/** There may be any number of names, such as a subject for each order. */
const MOST_FAILING = 1_000
