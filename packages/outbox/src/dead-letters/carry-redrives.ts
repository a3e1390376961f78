import { CLOSING_MS, callLater, endsWithin, type Later, type Redrives } from '@oncekey/core'

export interface CarriedRedrives {
  /**
   * Stops after the portion that is under way. Waits for it for half a second at most, and nothing
   * is told of it afterwards: the pool may have been ended by then.
   */
  stop(): Promise<void>
}

/** Carries one portion of each redrive that is due. `failed` gets a failure of the store. */
export async function carryOnce(
  redrives: Redrives | undefined,
  failed: (error: unknown) => void,
): Promise<void> {
  try {
    await redrives?.carry()
  } catch (error) {
    failed(error)
  }
}

/**
 * Carries out the redrives of a source until it is stopped: one portion whenever one is due, and a
 * check once a second while none is running. The relay, worker or runner of the source calls it.
 * `failed` gets every failure of the store, after which it continues; `carried` is called when
 * letters were put back.
 */
export function carryRedrives(
  redrives: Redrives | undefined,
  on: { failed(error: unknown): void; carried(): void },
): CarriedRedrives {
  let over = redrives === undefined
  let isSilent = false
  let failures = 0
  let timer: Later | undefined
  let carrying: Promise<void> = Promise.resolve()
  if (redrives !== undefined) {
    timer = callLater(() => next(redrives), LOOK_EVERY_MS * Math.random()).unref()
  }

  return {
    async stop() {
      over = true
      timer?.cancel()
      await endsWithin(carrying, CLOSING_MS)
      isSilent = true
    },
  }

  function next(of: Redrives): void {
    carrying = carry(of).then((waitMs) => {
      if (!over) timer = callLater(() => next(of), waitMs).unref()
    })
  }

  async function carry(of: Redrives): Promise<number> {
    try {
      const { redriven, nextInMs } = await of.carry()
      failures = 0
      if (redriven > 0 && !isSilent) on.carried()
      return Math.min(Math.max(0, nextInMs ?? LOOK_EVERY_MS), LOOK_EVERY_MS)
    } catch (error) {
      failures += 1
      if (!isSilent) on.failed(error)
      return LOOK_EVERY_MS * 2 ** Math.min(failures, 4)
    }
  }
}

const LOOK_EVERY_MS = 1_000
