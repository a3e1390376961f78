import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { callLater } from '@oncekey/core'

/**
 * Tells of events that were committed in this process, whatever store they were committed by: by the
 * channel `oncekey:appended`, so that neither knows of the other. Returns what ends it.
 */
export function onAppended(wake: () => void): () => void {
  const heard = (): void => wake()
  subscribe('oncekey:appended', heard)
  return () => void unsubscribe('oncekey:appended', heard)
}

/** A pause that can be cut short. */
export interface Pause {
  /** Resolves after that time, or when it is woken; at once if it was woken since it resolved last. */
  wait(ms: number): Promise<void>
  wake(): void
}

export function pause(): Pause {
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
