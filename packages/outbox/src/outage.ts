import type { Backoff } from './backoff.ts'

/** Lets publishes through, and while the broker is down one at a time. */
export interface OutageGate {
  /**
   * Runs `send`, at once or when there is hope for it. Rejects with what `send` rejects with, with the
   * signal's reason, or when it has waited in vain.
   */
  pass(signal: AbortSignal, send: () => Promise<unknown>): Promise<void>
}

export interface OutageOptions {
  /** Who waits, for errors. */
  readonly name: string
  /** The pause between two tries, by how many have failed; never more than 5 s. */
  readonly backoff: Backoff
  /** How long one waits before it gives up. Milliseconds. */
  readonly waitMs: number
  /** Such a failure is about one event and says nothing about the broker. */
  readonly isPermanent: (error: unknown) => boolean
}

/**
 * A broker that is down would fail everything the log has, as fast as it can be read, and each client
 * would keep what it could not send. So after a failure one publish at a time tries, between pauses;
 * the others wait behind it, in order, and leave together when one has succeeded.
 *
 *     up ──a failure──> down: pause ──> one tries ──failure──> longer pause
 *      ^                                  └─success: all go─┐
 *      └────────────────────────────────────────────────────┘
 */
export function outageGate({ name, backoff, waitMs, isPermanent }: OutageOptions): OutageGate {
  let outage: Outage | undefined
  const waiting = new Set<Waiter>()

  async function pass(signal: AbortSignal, send: () => Promise<unknown>): Promise<void> {
    const isProbe = outage === undefined ? false : await turn(outage, signal)
    try {
      // A client may keep a message for as long as it likes; the attempt ends with its signal.
      await Promise.race([send().then(end), aborted(signal)])
    } catch (error) {
      if (!isPermanent(error)) fail(error, isProbe)
      else if (isProbe) letNextTry()
      throw error
    }
  }

  function turn({ error: cause }: Outage, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.delete(waiter)
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        if (waiting.size === 0) pause()
      }
      const abort = (): void => {
        leave()
        reject(signal.reason)
      }
      const timer = setTimeout(() => {
        leave()
        const message = `Publisher "${name}" waited ${waitMs} ms for its broker, which has failed before.`
        reject(new Error(message, { cause }))
      }, waitMs)
      const waiter: Waiter = (isProbe) => {
        leave()
        resolve(isProbe)
      }
      signal.addEventListener('abort', abort, { once: true })
      waiting.add(waiter)
      schedule()
    })
  }

  function fail(error: unknown, isProbe: boolean): void {
    if (outage === undefined) {
      outage = { error, failures: 1, probing: false, tryAt: 0, timer: undefined }
    } else if (isProbe) {
      outage.error = error
      outage.failures += 1
      outage.probing = false
    } else return // It was under way before.
    outage.tryAt = performance.now() + Math.min(backoff(outage.failures), LONGEST_PAUSE_MS)
    schedule()
  }

  function letNextTry(): void {
    if (outage === undefined) return
    outage.probing = false
    schedule()
  }

  function schedule(): void {
    if (outage === undefined || outage.probing || outage.timer || waiting.size === 0) return
    outage.timer = setTimeout(probe, Math.max(0, outage.tryAt - performance.now()))
  }

  function probe(): void {
    if (outage === undefined) return
    outage.timer = undefined
    const [first] = waiting
    outage.probing = first !== undefined
    first?.(true)
  }

  function pause(): void {
    clearTimeout(outage?.timer)
    if (outage !== undefined) outage.timer = undefined
  }

  function end(): void {
    if (outage === undefined) return
    pause()
    outage = undefined
    for (const go of [...waiting]) go(false)
  }

  return { pass }
}

interface Outage {
  error: unknown
  /** In a row. */
  failures: number
  /** One is trying. */
  probing: boolean
  tryAt: number
  timer: NodeJS.Timeout | undefined
}

type Waiter = (isProbe: boolean) => void

const LONGEST_PAUSE_MS = 5_000

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
