import { type Deferred, deferred } from '../time/deferred.ts'
import { endsWithin } from '../time/durations.ts'

/** Counts the claims and runs that have to end before the process may exit. */
export interface UnderWay {
  readonly count: number
  begin(): void
  end(): void
  /** Resolves when the count is 0, or after `withinMs`. */
  none(withinMs: number): Promise<void>
}

/** Creates a counter that begins at 0. */
export function underWay(): UnderWay {
  let count = 0
  let idle: Deferred<void> | undefined

  return {
    get count() {
      return count
    },
    begin() {
      count += 1
    },
    end() {
      count -= 1
      if (count === 0) idle?.resolve()
    },
    async none(withinMs) {
      if (count === 0) return
      idle ??= deferred()
      await endsWithin(idle.promise, withinMs)
    },
  }
}
