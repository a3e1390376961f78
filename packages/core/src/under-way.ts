import { type Deferred, deferred } from './deferred.ts'

/** Counts what has to end before a process may: claims that wait for their answer, and runs. */
export interface UnderWay {
  readonly count: number
  begin(): void
  end(): void
  /** Resolves when nothing is under way any more, or after `withinMs`. */
  none(withinMs: number): Promise<void>
}

/** Starts counting, from nothing. */
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
      let timer: ReturnType<typeof setTimeout> | undefined
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs)
      })
      await Promise.race([idle.promise, deadline])
      clearTimeout(timer)
    },
  }
}
