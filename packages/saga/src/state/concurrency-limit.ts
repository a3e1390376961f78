import { AsyncLocalStorage } from 'node:async_hooks'

/** How many runs `execute` drives at once, so that their steps find connections. */
export interface Places {
  /** Takes a place if one is free. Inside a step there is always one: its run waits for what it executes. */
  take(): boolean
  giveBack(): void
  /** Stands in line for one, behind all who came before. */
  standInLine(): Turn
  /** How many stand in line. */
  waiting(): number
}

/** A place in the line. Whoever stands in it uses the place that comes, or leaves. */
export interface Turn {
  readonly comes: Promise<void>
  /** Whether a place is kept for it. */
  hasCome(): boolean
  /** Takes the place that is kept; `giveBack` when it is not needed any more. */
  use(): void
  /** Lets the next one in line have it. */
  leave(): void
}

export function places(count: number): Places {
  let taken = 0
  const line = new Set<() => void>()

  return {
    take() {
      if (taken >= count && insideStep.getStore() !== true) return false
      taken += 1
      return true
    },
    giveBack,
    standInLine() {
      let isKept = false
      let call = () => {}
      const comes = new Promise<void>((resolve) => {
        call = () => {
          isKept = true
          resolve()
        }
      })
      line.add(call)
      callNext()
      return {
        comes,
        hasCome: () => isKept,
        use() {
          isKept = false
        },
        leave() {
          line.delete(call)
          if (isKept) giveBack()
          isKept = false
        },
      }
    },
    waiting: () => line.size,
  }

  function giveBack(): void {
    taken -= 1
    callNext()
  }

  /** One for each place: were all of them called, each of them would ask the database. */
  function callNext(): void {
    for (const call of line) {
      if (taken >= count) return
      line.delete(call)
      taken += 1
      call()
    }
  }
}

/** Calls a step's function so that `execute` knows where it is called from. */
export function asStep<Result>(step: () => Result): Result {
  return insideStep.run(true, step)
}

const insideStep = new AsyncLocalStorage<true>()
