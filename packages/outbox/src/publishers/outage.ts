import { callLater, type Later, OncekeyError } from '@oncekey/core'
import type { Backoff } from '../consumer/backoff.ts'
import { type DestinationFailure, destinations } from './destinations.ts'
import { ownFailure } from './own-failure.ts'

/** Lets sends through, one at a time while the broker is down. */
export interface OutageGate {
  /**
   * Runs `send` at once, or when its turn comes. Rejects with the error of `send`, with the
   * signal's reason, or with an error after `waitMs`. Rejects with a `PostponedError` if this
   * destination has failed and others have not.
   */
  pass(to: string, signal: AbortSignal, send: () => Promise<unknown>): Promise<void>
}

export interface OutageOptions {
  /** The publisher's name, for errors. */
  readonly name: string
  /** The wait before the next probe, by the number of failed probes; at most 5 s. */
  readonly backoff: Backoff
  /** How long a send waits for its turn before it fails. Milliseconds. */
  readonly waitMs: number
  /** Whether a failure is about one event only and says nothing about the broker. */
  readonly isPermanent: (error: unknown) => boolean
  /**
   * The failure of the destination that this error shows; `undefined` if it is not about the
   * destination.
   */
  readonly destinationFailureOf: (error: unknown) => DestinationFailure | undefined
  /**
   * How many sends may be under way or waiting at once; while that many wait, the relay starts no
   * others. Infinity if there is only one destination.
   */
  readonly concurrencyLimit: number
}

/**
 * While a broker is down, every event would fail, as fast as the log can be read, and a client
 * would buffer what it cannot send. So after a failure only one send at a time is tried, as a
 * probe, with waits between probes. The others queue. When a probe succeeds, they are all sent, in
 * order.
 *
 *     up ──a failure──> down: wait ──> one probes ──failure──> longer wait
 *      ^                                  └─success: all go─┐
 *      └────────────────────────────────────────────────────┘
 *
 * If the broker replies with a failure of one destination that is apart, the broker is up, and the
 * outage ends as after a success.
 *
 * If there is a send to a destination that has not failed yet, the newest such send is the probe:
 * it shows whether the broker is down or only one destination. The first such probe is sent at
 * once. A destination that is apart holds up no other: see `destinations.ts`.
 *
 * When the waiting sends reach the concurrency limit, the relay starts none of the events behind
 * them. The gate then puts the waiting sends off, so that the relay starts the next events, which
 * may be for other destinations. At first it does so after each failure. Once so many sends were
 * put off that the broker seems to be down, it does so only after the failures whose number is a
 * power of two (the fourth, the eighth, the sixteenth). If all wait for the same destination, they
 * are always put off.
 */
export function outageGate(options: OutageOptions): OutageGate {
  const { name, backoff, waitMs, isPermanent, destinationFailureOf, concurrencyLimit } = options
  let outage: Outage | undefined
  let inside = 0
  const waiting = new Set<Waiter>()
  const known = destinations({ name, backoff })

  async function pass(...publish: Parameters<OutageGate['pass']>): Promise<void> {
    inside += 1
    try {
      await through(...publish)
    } finally {
      inside -= 1
    }
  }

  async function through(
    to: string,
    signal: AbortSignal,
    send: () => Promise<unknown>,
  ): Promise<void> {
    const isProbe = outage === undefined ? false : await turn(outage, to, signal)
    const begunAt = known.begin(to, isProbe)
    try {
      // A client may never settle its promise, so the wait also ends when the attempt's signal
      // aborts.
      await Promise.race([send().then(() => end(to)), aborted(signal)])
    } catch (error) {
      if (isPermanent(error) || isOfRelay(signal)) {
        known.refused(to)
        if (isProbe) letNextTry()
      } else {
        const isApart = known.failed(to, error, begunAt, destinationFailureOf(error))
        if (isApart && destinationFailureOf(error) !== undefined) over()
        else fail({ isApart, error, isProbe })
      }
      throw error
    }
  }

  function turn({ error: cause }: Outage, to: string, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.delete(waiter)
        timer.cancel()
        signal.removeEventListener('abort', abort)
        if (waiting.size === 0) cancelProbe()
      }
      const abort = (): void => {
        leave()
        reject(signal.reason)
      }
      const timer = callLater(() => {
        leave()
        const message = `Publisher "${name}" waited ${waitMs} ms for its broker, which is failing.`
        reject(ownFailure(message, { cause }))
      }, waitMs)
      const waiter: Waiter = {
        to,
        go(isProbe) {
          leave()
          resolve(isProbe)
        },
        putOff() {
          leave()
          reject(known.putOff(to, cause))
        },
      }
      signal.addEventListener('abort', abort, { once: true })
      waiting.add(waiter)
      schedule()
      if (known.isOneOfMany(to) && isAllForOneInDoubt()) makeRoom()
    })
  }

  function fail(of: {
    readonly isApart: boolean
    readonly error: unknown
    readonly isProbe: boolean
  }): void {
    const { isApart, error, isProbe } = of
    if (outage === undefined) {
      if (isApart) return
      outage = {
        error,
        failures: 0,
        putOff: 0,
        probing: false,
        tryAt: 0,
        tryOthersAt: 0,
        timer: undefined,
      }
    } else if (!isProbe) return // This send began before the outage.
    outage.error = error
    outage.failures += 1
    outage.probing = false
    outage.tryAt = performance.now() + Math.min(backoff(outage.failures), LONGEST_WAIT_MS)
    const otherWaitMs = outage.failures === 1 ? 0 : Math.min(backoff(1), LONGEST_WAIT_MS)
    outage.tryOthersAt = performance.now() + otherWaitMs
    schedule()
    // Done ever more rarely: while the broker is down, each round files more of the log as failed
    // deliveries.
    const isFew = outage.putOff < ROUNDS * concurrencyLimit
    if (isFew || isAllForOneInDoubt() || Number.isInteger(Math.log2(outage.failures))) makeRoom()
  }

  /**
   * If the waiting sends fill the concurrency limit, puts all but one of them off, so that the
   * relay starts the events behind them.
   */
  function makeRoom(): void {
    if (inside < concurrencyLimit) return
    const [, ...others] = waiting
    if (outage !== undefined) outage.putOff += others.length
    for (const { putOff } of others) putOff()
  }

  function isAllForOneInDoubt(): boolean {
    const [first, ...others] = waiting
    return (
      first !== undefined && known.isInDoubt(first.to) && others.every(({ to }) => to === first.to)
    )
  }

  function letNextTry(): void {
    if (outage === undefined) return
    outage.probing = false
    schedule()
  }

  function schedule(): void {
    if (outage === undefined || outage.probing || waiting.size === 0) return
    const { to } = nextProbe()
    const at = known.isInDoubt(to) ? outage.tryAt : Math.min(outage.tryAt, outage.tryOthersAt)
    outage.timer?.cancel()
    outage.timer = callLater(probe, Math.max(0, at - performance.now()))
  }

  function probe(): void {
    if (outage === undefined) return
    outage.timer = undefined
    outage.probing = true
    nextProbe().go(true)
  }

  /**
   * The newest send to a destination that has not failed, or else the first. Call it only while a
   * send waits.
   */
  function nextProbe(): Waiter {
    const all = [...waiting]
    return (all.findLast(({ to }) => !known.isInDoubt(to)) ?? all[0]) as Waiter
  }

  function cancelProbe(): void {
    outage?.timer?.cancel()
    if (outage !== undefined) outage.timer = undefined
  }

  function end(to: string): void {
    known.succeeded(to)
    over()
  }

  function over(): void {
    if (outage === undefined) return
    cancelProbe()
    outage = undefined
    for (const { go } of [...waiting]) go(false)
  }

  return { pass }
}

interface Outage {
  error: unknown
  /** Failures in a row. */
  failures: number
  /** How many sends were put off so far, so that the events behind them could start. */
  putOff: number
  /** Whether a probe is under way. */
  probing: boolean
  tryAt: number
  /** When a destination that has not failed may be probed. */
  tryOthersAt: number
  timer: Later | undefined
}

interface Waiter {
  readonly to: string
  go(isProbe: boolean): void
  putOff(): void
}

const LONGEST_WAIT_MS = 5_000
/** How often all waiting sends are put off before the gate assumes that the broker is down. */
const ROUNDS = 4

/**
 * Whether the relay has ended the attempt, because it stops or has lost the lease. That says
 * nothing about the broker, unlike the end of the attempt's time.
 */
export function isOfRelay({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof OncekeyError && reason.code === 'lease-lost'
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
