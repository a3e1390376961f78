import { callLater, type Later } from './durations.ts'

/** Deadlines that all have the same length. */
export interface Deadlines<Waiting> {
  /** Starts the time of `waiting` now. */
  start(waiting: Waiting): Deadline<Waiting>
  /** Stops a deadline before its time. */
  stop(deadline: Deadline<Waiting>): void
}

/** One running deadline: a link in a list of all of them, ordered by time. */
export interface Deadline<Waiting> {
  readonly waiting: Waiting
  readonly at: number
  before: Deadline<Waiting> | undefined
  after: Deadline<Waiting> | undefined
  isOver: boolean
}

/**
 * Shares one timer among all deadlines, because a timer for each request costs as much as its
 * claim. All have the same length, so the first to start is the first due, and the timer is set for
 * that one. It does not keep the process alive while no deadline is running.
 *
 * @example
 * ```ts
 * const clock = deadlines<Call>(2_000, (call) => call.fail(new Error('no answer within 2 s')))
 * const deadline = clock.start(call)
 * call.onAnswer(() => clock.stop(deadline))
 * ```
 */
export function deadlines<Waiting>(
  ms: number,
  late: (waiting: Waiting) => void,
): Deadlines<Waiting> {
  let first: Deadline<Waiting> | undefined
  let last: Deadline<Waiting> | undefined
  let timer: Later | undefined

  function start(waiting: Waiting): Deadline<Waiting> {
    const at = performance.now() + ms
    const deadline = { waiting, at, before: last, after: undefined, isOver: false }
    if (last === undefined) {
      first = deadline
      if (timer === undefined) timer = callLater(ring, ms)
      else timer.ref()
    } else {
      last.after = deadline
    }
    last = deadline
    return deadline
  }

  function stop(deadline: Deadline<Waiting>): void {
    if (deadline.isOver) return
    const { before, after } = deadline
    deadline.isOver = true
    if (before === undefined) first = after
    else before.after = after
    if (after === undefined) last = before
    else after.before = before
    // Unlinked so that a stopped deadline that grew old in the heap does not keep all later ones
    // alive until the next full collection.
    deadline.before = undefined
    deadline.after = undefined
    if (first === undefined) timer?.unref()
  }

  function ring(): void {
    timer = undefined
    const now = performance.now()
    try {
      while (first !== undefined && first.at <= now) {
        const { waiting } = first
        stop(first)
        late(waiting)
      }
    } finally {
      // The deadline that the timer was set for may have stopped long ago, and `late` may have
      // started a new one.
      if (first !== undefined && timer === undefined) {
        timer = callLater(ring, Math.max(1, Math.ceil(first.at - now)))
      }
    }
  }

  return { start, stop }
}
