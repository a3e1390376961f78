import { callLater } from '@oncekey/core'

/**
 * A sleep that can be cut short. A call to `now` while nobody sleeps ends the next sleep at once.
 */
export interface Wake {
  readonly now: () => void
  after(ms: number): Promise<'called' | 'slept'>
}

export function createWake(): Wake {
  let called = false
  let endSleep: (() => void) | undefined

  return {
    now() {
      called = true
      endSleep?.()
    },
    async after(ms) {
      if (!called) {
        await new Promise<void>((resolve) => {
          const timer = callLater(resolve, ms)
          endSleep = () => {
            timer.cancel()
            resolve()
          }
        })
        endSleep = undefined
      }
      const reason = called ? 'called' : 'slept'
      called = false
      return reason
    },
  }
}
