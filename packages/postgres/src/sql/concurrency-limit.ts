import { callLater } from '@oncekey/core'

/** Returns the permit to its limit. A second call does nothing. */
export type Permit = () => void

/** At most a fixed number of permits at once, handed out in the order of the requests. */
export interface ConcurrencyLimit {
  /** Takes a permit if one is free at this moment. */
  tryTake(): Permit | undefined
  /** Waits for a permit. `undefined` if none came free in time, or if the signal aborted. */
  take(options: {
    readonly timeoutMs: number
    readonly signal?: AbortSignal
  }): Promise<Permit | undefined>
}

export function concurrencyLimit(count: number): ConcurrencyLimit {
  let free = count
  // A Set keeps the order of arrival, and lets a waiter that gives up leave from the middle.
  const queue = new Set<(permit: Permit) => void>()

  return {
    tryTake() {
      if (free === 0) return undefined
      free--
      return permit()
    },

    async take({ timeoutMs, signal }) {
      if (signal?.aborted) return undefined
      if (free > 0) {
        free--
        return permit()
      }
      return await new Promise((resolve) => {
        const finish = (taken: Permit | undefined): void => {
          timer.cancel()
          signal?.removeEventListener('abort', giveUp)
          queue.delete(finish)
          resolve(taken)
        }
        const giveUp = (): void => finish(undefined)
        const timer = callLater(giveUp, timeoutMs)
        signal?.addEventListener('abort', giveUp)
        queue.add(finish)
      })
    },
  }

  function permit(): Permit {
    let held = true
    return () => {
      if (!held) return
      held = false
      const [next] = queue
      if (next === undefined) free++
      else next(permit())
    }
  }
}
