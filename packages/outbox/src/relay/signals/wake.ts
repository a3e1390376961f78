import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { callLater } from '@oncekey/core'

/**
 * Calls `wake` after events were committed in this process. Stores publish such commits on the
 * channel `oncekey:appended`, so a store and a relay need not know each other. Returns a function
 * that unsubscribes.
 */
export function onAppended(wake: () => void): () => void {
  const heard = (): void => wake()
  subscribe('oncekey:appended', heard)
  return () => void unsubscribe('oncekey:appended', heard)
}

/** A wait that can be cut short. */
export interface WakeableWait {
  /** Resolves after `ms`, or when woken. Resolves at once if it was woken after the last wait. */
  wait(ms: number): Promise<void>
  wake(): void
}

export function wakeableWait(): WakeableWait {
  let woken = false
  let resume: (() => void) | undefined

  return {
    wait(ms) {
      if (woken) {
        woken = false
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        const later = callLater(done, ms)
        function done(): void {
          later.cancel()
          resume = undefined
          woken = false
          resolve()
        }
        resume = done
      })
    },
    wake() {
      woken = true
      resume?.()
    },
  }
}

/** Waits for `ms`, whoever wakes it, or until it is woken and `isOn` is false. */
export async function pause(on: WakeableWait, ms: number, isOn: () => boolean): Promise<void> {
  const until = performance.now() + ms
  for (let restMs = ms; isOn() && restMs > 0; restMs = until - performance.now()) {
    await on.wait(restMs)
  }
}
