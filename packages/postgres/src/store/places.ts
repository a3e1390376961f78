/** Gives a place back. Calling it again does nothing. */
export type Place = () => void

/** A fixed number of places, handed out in the order they were asked for. */
export interface Places {
  tryTake(): Place | undefined
  /** `undefined` when none came free in time, or when nobody waits for it any more. */
  take(options: {
    readonly timeoutMs: number
    readonly signal?: AbortSignal
  }): Promise<Place | undefined>
}

export function places(count: number): Places {
  let free = count
  // A Set keeps the order and lets one who gives up leave from the middle.
  const queue = new Set<(place: Place) => void>()

  return {
    tryTake() {
      if (free === 0) return undefined
      free--
      return place()
    },

    async take({ timeoutMs, signal }) {
      if (signal?.aborted) return undefined
      if (free > 0) {
        free--
        return place()
      }
      return await new Promise((resolve) => {
        const settle = (taken: Place | undefined): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', giveUp)
          queue.delete(settle)
          resolve(taken)
        }
        const giveUp = (): void => settle(undefined)
        const timer = setTimeout(giveUp, timeoutMs)
        signal?.addEventListener('abort', giveUp)
        queue.add(settle)
      })
    },
  }

  function place(): Place {
    let held = true
    return () => {
      if (!held) return
      held = false
      const [next] = queue
      if (next === undefined) free++
      else next(place())
    }
  }
}
