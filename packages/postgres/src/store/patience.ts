import type { Claim } from '@oncekey/core'

/** How long a claim still waits for somebody else's attempt to end. */
export interface Patience {
  leftMs(): number
  /** Whether `event` came while there was patience left. */
  outlasts(event: Promise<unknown>): Promise<boolean>
}

export function patienceOf({ waitMs, signal }: Claim): Patience {
  const until = performance.now() + waitMs
  const leftMs = (): number =>
    signal.aborted ? 0 : Math.min(Math.max(0, Math.ceil(until - performance.now())), MAX_INT)

  return {
    leftMs,
    async outlasts(event) {
      const ms = leftMs()
      if (ms === 0) return false
      return await new Promise((resolve) => {
        const settle = (came: boolean): void => {
          clearTimeout(timer)
          signal.removeEventListener('abort', giveUp)
          resolve(came)
        }
        const giveUp = (): void => settle(false)
        const timer = setTimeout(giveUp, ms)
        signal.addEventListener('abort', giveUp)
        event.then(
          () => settle(true),
          () => settle(true),
        )
      })
    },
  }
}

/** As far as timers count, and lock_timeout. */
const MAX_INT = 2 ** 31 - 1
