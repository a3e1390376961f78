import { PermanentError } from '../consumer/permanent-error.ts'
import { MissingDestinationError } from './missing-destination-error.ts'

/**
 * Remembers since when a destination has been missing. It may be created a minute later, so its
 * events are retried like any others for `missingForMs`. That time is counted by this process, and
 * from zero again when the process restarts. After it, the destination's events become dead letters
 * at once, until one gets through.
 *
 * A destination that was missed for less than that, and for which this process has then had no
 * event for an hour, begins anew: those that missed it have got through in another process, which
 * has their slots by now. An hour, because an event of its own comes back sooner.
 */
export interface MissingDestinations {
  /**
   * Runs `send`. If `to` has been missing for too long, an error of `send` becomes a
   * `PermanentError`.
   */
  watch(to: string, send: () => Promise<unknown>): Promise<void>
}

export function missingDestinations(missingForMs: number): MissingDestinations {
  const known = new Map<string, Missing>()
  const forgottenMs = Math.max(missingForMs, FORGOTTEN_MS)

  function judged(to: string, error: unknown): unknown {
    if (!(error instanceof MissingDestinationError)) return error
    const now = performance.now()
    const before = known.get(to)
    const isOld = before?.isOver === false && now - before.lastAt >= forgottenMs
    const firstAt = before === undefined || isOld ? now : before.firstAt
    const isOver = now - firstAt >= missingForMs
    // Moves `to` to the end of the map, so that the least recently used entry is dropped.
    known.delete(to)
    known.set(to, { firstAt, lastAt: now, isOver })
    const [oldest] = known.keys()
    if (known.size > MOST_MISSING && oldest !== undefined) known.delete(oldest)
    if (!isOver) return error
    return new PermanentError(
      `${error.message} It has been missing for more than ${missingForMs} ms (missingForMs).`,
      { cause: error },
    )
  }

  return {
    async watch(to, send) {
      try {
        await send()
        known.delete(to)
      } catch (error) {
        throw judged(to, error)
      }
    },
  }
}

interface Missing {
  /** When it was first missed. */
  readonly firstAt: number
  readonly lastAt: number
  /** Whether its events have been dead letters since. */
  readonly isOver: boolean
}

const FORGOTTEN_MS = 3_600_000

/** A limit, because there may be any number of names, such as a subject for each order. */
const MOST_MISSING = 10_000
