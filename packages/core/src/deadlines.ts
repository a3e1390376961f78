/** Calls `late` for whatever has waited too long; all wait for the same span of time. */
export interface Deadlines<Waiting> {
  /** The time of `waiting` begins now. */
  start(waiting: Waiting): Deadline<Waiting>
  /** It does not wait any more. */
  stop(deadline: Deadline<Waiting>): void
}

/** One who waits; a link in the chain of all who do, in the order of their time. */
export interface Deadline<Waiting> {
  readonly waiting: Waiting
  readonly at: number
  before: Deadline<Waiting> | undefined
  after: Deadline<Waiting> | undefined
  isOver: boolean
}

/**
 * One timer for all, for engines and stores: one for each request costs as much as its claim. Because
 * the span is the same for all, who came first is due first, and the timer is set for the first of them.
 * While nobody waits it does not keep the process.
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
  let timer: ReturnType<typeof setTimeout> | undefined

  function start(waiting: Waiting): Deadline<Waiting> {
    const at = performance.now() + ms
    const deadline = { waiting, at, before: last, after: undefined, isOver: false }
    if (last === undefined) {
      first = deadline
      if (timer === undefined) timer = setTimeout(ring, ms)
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
    // One that grew old in the heap would keep all that came after it until the next full collection.
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
      // Whoever it was set for may have ended long ago; one who was told may have set it anew.
      if (first !== undefined && timer === undefined) {
        timer = setTimeout(ring, Math.max(1, Math.ceil(first.at - now)))
      }
    }
  }

  return { start, stop }
}
