import { callLater } from '@oncekey/core'

/**
 * Settles as `work` does, or rejects with `late()` once `ms` have passed. The work itself
 * continues.
 */
export function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = callLater(() => reject(late()), ms)
    work.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}

export function storeTimeout(ms: number): Error {
  return new Error(`no answer within ${ms} ms`)
}
