import { AsyncLocalStorage } from 'node:async_hooks'

/** How many runs `execute` drives at once, so that their steps find connections. */
export interface Places {
  /** Takes a place if one is free. Inside a step there is always one: its run waits for what it executes. */
  take(): boolean
  giveBack(): void
  /** Resolves when a place may be free. */
  freed(): Promise<void>
}

export function places(count: number): Places {
  let taken = 0
  let waiting: (() => void)[] = []

  return {
    take() {
      if (taken >= count && insideStep.getStore() !== true) return false
      taken += 1
      return true
    },
    giveBack() {
      taken -= 1
      const next = waiting
      waiting = []
      for (const wake of next) wake()
    },
    freed: () => new Promise((resolve) => void waiting.push(resolve)),
  }
}

/** Calls a step's function so that `execute` knows where it is called from. */
export function asStep<Result>(step: () => Result): Result {
  return insideStep.run(true, step)
}

const insideStep = new AsyncLocalStorage<true>()
