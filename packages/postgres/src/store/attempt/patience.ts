import { type Claim, callLater } from '@oncekey/core'

/** The time a claim has left to wait for another attempt. */
export interface Patience {
  leftMs(): number
  /** Resolves to whether `event` happened before the time was over or the claim was withdrawn. */
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
        const finish = (came: boolean): void => {
          timer.cancel()
          signal.removeEventListener('abort', giveUp)
          resolve(came)
        }
        const giveUp = (): void => finish(false)
        const timer = callLater(giveUp, ms)
        signal.addEventListener('abort', giveUp)
        event.then(
          () => finish(true),
          () => finish(true),
        )
      })
    },
  }
}

/** The largest lock_timeout. Milliseconds. */
const MAX_INT = 2 ** 31 - 1
