import { attemptError } from '../consumer/attempt-error.ts'
import type { Backoff } from '../consumer/backoff.ts'
import { PostponedError } from '../consumer/postponed-error.ts'

/**
 * Tells failures of one destination from failures of the broker. A stream that the user may not
 * write to, a topic without a leader or one node of a cluster can fail while other destinations
 * work.
 *
 *   fine ──fails──> in doubt ──fails, and another has succeeded meanwhile──> apart: wait, one tries
 *    ^                 └─success─┐                                                │
 *    └───────────────────────────┴────────────────────success─────────────────────┘
 *
 * A destination that fails while others work is set apart. If the broker itself reports that the
 * destination failed, it is set apart at its first failure, provided that another destination has
 * succeeded in the last 5 seconds. It stays so for as long as others succeed; when none does, its
 * events wait for the broker like all others. A destination that the broker reports as missing is
 * set apart at once and stays so, whatever becomes of the others.
 */
export interface Destinations {
  /**
   * Begins a send. Returns how many sends had succeeded by then, which the caller passes to
   * `failed`. Throws {@link PostponedError} if it is too early to try this destination again,
   * unless the send is a probe of the whole broker.
   */
  begin(to: string, isProbe: boolean): number
  succeeded(to: string): void
  /**
   * Call it if the broker refused the event itself, or if the relay ended the attempt. That says
   * nothing about the destination, which may be tried again at once.
   */
  refused(to: string): void
  /**
   * Counts a failed send. Returns whether the destination is apart then; if it is not, the failure
   * counts as one of the broker. `reported` is what the broker itself said about the destination,
   * if anything.
   */
  failed(to: string, error: unknown, begunAt: number, reported?: DestinationFailure): boolean
  /** Whether the last send to this destination failed. */
  isInDoubt(to: string): boolean
  /** Whether anything was ever sent to another destination. */
  isOneOfMany(to: string): boolean
  /**
   * Makes the error for an event that is put off because its destination is apart or because other
   * events should be tried first; `cause` is the broker's failure.
   */
  putOff(to: string, cause: unknown): PostponedError
}

/**
 * What the broker reports about a destination. `missing`: it does not exist, or nobody takes what
 * is sent to it. `refused`: it accepts nothing at present.
 */
export type DestinationFailure = 'missing' | 'refused'

export function destinations(of: {
  /** The publisher's name, for errors. */
  readonly name: string
  readonly backoff: Backoff
}): Destinations {
  const { name, backoff } = of
  const failing = new Map<string, Failing>()
  const untried = { ...failingSince(0), since: Number.POSITIVE_INFINITY }
  const first = new Set<string>()
  let successes = 0
  let newest: Success = { to: undefined, number: 0, at: Number.NEGATIVE_INFINITY }
  /** The newest success of a destination other than the one of `newest`. */
  let newestElsewhere: Success = newest

  return {
    begin(to, isProbe) {
      if (first.size < 2) first.add(to)
      const state = failing.get(to)
      if (state !== undefined && isApart(to, state)) {
        const isTooSoon = state.isTrying || performance.now() < state.tryAt
        if (isTooSoon && !isProbe) throw postponed(to, state)
        state.isTrying = true
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
      const state = failing.get(to)
      if (state !== undefined) state.isTrying = false
    },

    failed(to, error, begunAt, reported) {
      const state = failing.get(to) ?? added(to, begunAt)
      state.isMissing = reported === 'missing'
      // This send began before the last failure, which has been counted already.
      if (isApart(to, state) && !state.isTrying) return true
      state.isApart ||=
        reported === undefined
          ? haveOthersSucceeded(to, Math.min(begunAt, state.failedAt))
          : isOtherTaking(to)
      state.failedAt = successes
      state.failures += 1
      state.error = error
      state.isTrying = false
      state.tryAt = performance.now() + Math.min(backoff(state.failures), LONGEST_WAIT_MS)
      return isApart(to, state)
    },

    isInDoubt: (to) => failing.has(to),
    isOneOfMany: (to) => first.size > 1 || (first.size === 1 && !first.has(to)),
    putOff(to, cause) {
      untried.error = cause
      return postponed(to, failing.get(to) ?? untried)
    },
  }

  /**
   * A destination counts as apart only while others succeed. If none does, the broker may be down,
   * and the event waits for the broker.
   */
  function isApart(to: string, state: Failing): boolean {
    return state.isMissing || (state.isApart && isOtherTaking(to))
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
    const state = failingSince(failedAt)
    failing.set(to, state)
    return state
  }

  function haveOthersSucceeded(to: string, since: number): boolean {
    return elsewhereThan(to).number > since
  }

  /**
   * Makes an error with a wait. Events that are put off get different waits, so that they do not
   * come back all at once. Each costs a claim and a write whenever it comes back, so the longer the
   * destination has failed, the longer the waits are: otherwise all that waits for a destination
   * would come back every minute, and that grows with the outage.
   */
  function postponed(to: string, state: Failing): PostponedError {
    const now = performance.now()
    const longestMs = Math.max(LONGEST_DELAY_MS, (now - state.since) / 10)
    state.nextAt = Math.min(Math.max(state.nextAt, state.tryAt, now) + APART_MS, now + longestMs)
    const { message: why } = attemptError(state.error)
    return new PostponedError(
      `Publisher "${name}" does not try ${JSON.stringify(to)} just now: ${why}`,
      state.nextAt - now,
      state.error,
    )
  }
}

function failingSince(failedAt: number): Failing {
  return {
    error: undefined,
    failures: 0,
    since: performance.now(),
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
  /** Failures in a row. */
  failures: number
  /** When the first of them was. */
  since: number
  /** How many sends to all destinations had succeeded before this one's last failure. */
  failedAt: number
  isApart: boolean
  /** The broker reported that the destination does not exist. */
  isMissing: boolean
  /** While it is apart: whether a send to it is under way. */
  isTrying: boolean
  tryAt: number
  /** When the event that was put off last will come back. */
  nextAt: number
}

interface Success {
  readonly to: string | undefined
  readonly number: number
  readonly at: number
}

/** For how long the success of one destination shows that the broker is up. Milliseconds. */
const LATELY_MS = 5_000

/**
 * The longest wait before the next try. It is short because events that were put off come back only
 * after it, even if the destination recovers long before.
 */
const LONGEST_WAIT_MS = 5_000
const APART_MS = 10
/** If the destination has failed for longer than ten times this, a tenth of that time. */
const LONGEST_DELAY_MS = 60_000
/** A limit, because there may be any number of names, such as a subject for each order. */
const MOST_FAILING = 1_000
