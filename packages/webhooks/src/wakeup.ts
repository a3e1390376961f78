import { callLater } from '@oncekey/core'

/** A sleep that can be ended from outside; a call while nobody sleeps ends the next one at once. */
export interface Wakeup {
  readonly now: () => void
  after(ms: number): Promise<'called' | 'slept'>
}

export function wakeup(): Wakeup {
  let called = false
  let wake: (() => void) | undefined

  return {
    now() {
      called = true
      wake?.()
    },
    async after(ms) {
      if (!called) {
        await new Promise<void>((resolve) => {
          const timer = callLater(resolve, ms)
          wake = () => {
            timer.cancel()
            resolve()
          }
        })
        wake = undefined
      }
      const reason = called ? 'called' : 'slept'
      called = false
      return reason
    },
  }
}
