import { AsyncLocalStorage } from 'node:async_hooks'

/** Limits how many runs `execute` drives at once, so that connections are left for their steps. */
export interface ConcurrencyLimit {
  /**
   * Takes capacity if some is free, and returns whether it did. Inside a step, `acquire` always
   * succeeds: the step waits for the run that it executes, and may hold the last capacity.
   */
  acquire(): boolean
  release(): void
  /** While it is held, `acquire` takes none, and nobody's turn comes. */
  hold(isHeld: boolean): void
  /** Joins the end of the queue. */
  enqueue(): Turn
  /** How many are queued. */
  waiting(): number
}

/** A place in the queue. Its holder uses the capacity that is reserved for it, or leaves. */
export interface Turn {
  readonly ready: Promise<void>
  /** Whether capacity is reserved for this place. */
  isReady(): boolean
  /** Takes the reserved capacity. Call `release` when done. */
  use(): void
  /** Leaves the queue. Reserved capacity is passed on to the next place. */
  leave(): void
}

export function concurrencyLimit(count: number): ConcurrencyLimit {
  let taken = 0
  let isHeld = false
  const queue = new Set<() => void>()

  return {
    acquire() {
      if ((isHeld || taken >= count) && !isInsideStep()) return false
      taken += 1
      return true
    },
    release,
    hold(becomes) {
      isHeld = becomes
      wakeNext()
    },
    enqueue() {
      let isReserved = false
      let wake = () => {}
      const ready = new Promise<void>((resolve) => {
        wake = () => {
          isReserved = true
          resolve()
        }
      })
      queue.add(wake)
      wakeNext()
      return {
        ready,
        isReady: () => isReserved,
        use() {
          isReserved = false
        },
        leave() {
          queue.delete(wake)
          if (isReserved) release()
          isReserved = false
        },
      }
    },
    waiting: () => queue.size,
  }

  function release(): void {
    taken -= 1
    wakeNext()
  }

  /**
   * Reserves capacity for no more waiters than there is capacity, because each of them then queries
   * the database.
   */
  function wakeNext(): void {
    for (const wake of queue) {
      if (isHeld || taken >= count) return
      queue.delete(wake)
      taken += 1
      wake()
    }
  }
}

/**
 * Calls a step's function, and marks the call so that `execute` knows that it is called inside a
 * step.
 */
export function asStep<Result>(step: () => Result): Result {
  return insideStep.run(true, step)
}

export function isInsideStep(): boolean {
  return insideStep.getStore() === true
}

const insideStep = new AsyncLocalStorage<true>()
