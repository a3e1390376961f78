import { callLater, type Later } from '@oncekey/core'

/**
 * The time of an attempt. It stands while the attempt waits for its transaction, and that wait has
 * a limit of its own, of the same length. If the wait used up the time of the attempt, then, as
 * soon as more attempts wait than can be served in that time, each transaction would come to the
 * attempt that has waited longest and has the least time left: all would be cut off in their work.
 */
export interface AttemptClock {
  readonly limitMs: number
  /** What is left of the attempt's own time, as of when the clock last began to run. */
  leftMs: number
  /** Since when the clock runs, by `performance.now()`; undefined while it stands. */
  runsSince: number | undefined
  timer: Later | undefined
  /** Called when the attempt's time is over, or that of its wait. */
  readonly over: () => void
}

export function attemptClock(limitMs: number, over: () => void): AttemptClock {
  return { limitMs, leftMs: limitMs, runsSince: undefined, timer: undefined, over }
}

/** Lets the clock run, with what is left of the attempt's time. */
export function goOn(clock: AttemptClock): void {
  end(clock)
  clock.runsSince = performance.now()
  clock.timer = callLater(clock.over, clock.leftMs)
}

/** Stops the clock for a wait. */
export function stand(clock: AttemptClock): void {
  end(clock)
  if (clock.runsSince !== undefined) clock.leftMs -= performance.now() - clock.runsSince
  clock.runsSince = undefined
  clock.timer = callLater(clock.over, clock.limitMs)
}

export function end({ timer }: AttemptClock): void {
  timer?.cancel()
}
