import { PermanentError } from '../consumer/permanent-error.ts'
import { MissingDestinationError } from './missing-destination-error.ts'

/**
 * Remembers since when a destination has been missing. It may be created a minute later, so its
 * events are retried like any others for `missingForMs`. That time is counted by this process, and
 * from zero again when the process restarts. After it, the destination's events become dead letters
 * at once, until one gets through.
 */
export interface MissingDestinations {
  /**
   * Runs `send`. If `to` has been missing for too long, an error of `send` becomes a
   * `PermanentError`.
   */
  watch(to: string, send: () => Promise<unknown>): Promise<void>
}

export function missingDestinations(missingForMs: number): MissingDestinations {
  const since = new Map<string, number>()

  function judged(to: string, error: unknown): unknown {
    if (!(error instanceof MissingDestinationError)) return error
    const now = performance.now()
    const first = since.get(to) ?? now
    // Moves `to` to the end of the map, so that the least recently used entry is dropped.
    since.delete(to)
    since.set(to, first)
    const [oldest] = since.keys()
    if (since.size > MOST_MISSING && oldest !== undefined) since.delete(oldest)
    if (now - first < missingForMs) return error
    return new PermanentError(
      `${error.message} It has been missing for more than ${missingForMs} ms (missingForMs).`,
      { cause: error },
    )
  }

  return {
    async watch(to, send) {
      try {
        await send()
        since.delete(to)
      } catch (error) {
        throw judged(to, error)
      }
    },
  }
}

/** A limit, because there may be any number of names, such as a subject for each order. */
const MOST_MISSING = 10_000
