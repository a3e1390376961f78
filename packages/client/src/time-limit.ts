import { follow, followWhileHeld } from './following.ts'

/** A timer whose signal aborts when its time is over or its parent aborts. */
export interface TimeLimit {
  readonly signal: AbortSignal
  /** Whether this timer, not the parent, aborted the signal. */
  ranOut(): boolean
  /** By the clock that says less. Look at it before each step that must not come too late. */
  remainingMs(): number
  /**
   * Stops the timer. The signal follows its parent for as long as one of the holders is reachable,
   * because nothing tells when the body of a response has been read.
   */
  stopClock(holders: readonly object[]): void
  /** Stops the timer and detaches from the parent. */
  end(): void
}

/**
 * Starts a timer. Does not use `AbortSignal.any` and `AbortSignal.timeout`: both leave a listener
 * or a timer behind on a parent that outlives the call, and browsers have `any` only since 2024.
 *
 * Timers and `performance.now()` stand still while a computer sleeps, so the wall clock, `now`,
 * counts as well. And after a stop of the process or the page, timers fire in the order in which
 * they were due: a wait ends before this limit does. So the signal alone does not tell in time.
 */
export function startLimit(
  parent: AbortSignal | null | undefined,
  ms: number,
  now: () => number,
): TimeLimit {
  const controller = new AbortController()
  const endsAt = performance.now() + ms
  const endsAtWall = now() + ms
  let ranOut = false

  const timer = setTimeout(() => {
    if (controller.signal.aborted) return
    ranOut = true
    controller.abort(new DOMException(`Not done within ${ms} ms`, 'TimeoutError'))
  }, ms)
  let leave: (() => void) | undefined
  if (parent?.aborted) controller.abort(parent.reason)
  else if (parent != null) leave = follow(parent, () => controller.abort(parent.reason))

  function end(): void {
    clearTimeout(timer)
    leave?.()
    leave = undefined
  }

  return {
    signal: controller.signal,
    ranOut: () => ranOut,
    remainingMs: () => Math.min(endsAt - performance.now(), endsAtWall - now()),
    stopClock(holders) {
      if (parent != null && !parent.aborted) followWhileHeld(parent, controller, holders)
      end()
    },
    end,
  }
}

/** Settles like `promise`, or rejects with the signal's reason as soon as it aborts. */
export function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Waits. Rejects with the signal's reason as soon as it aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const slept = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  return untilAborted(signal, slept).finally(() => clearTimeout(timer))
}
