import { callLater } from '@oncekey/core'

/**
 * Resolves or rejects as `work` does, rejects with `late()` after `ms`, or with the signal's reason
 * when it aborts. The work itself is not stopped: the caller decides what becomes of it.
 */
export function within<T>(
  ms: number,
  work: Promise<T>,
  late: () => Error,
  signal?: AbortSignal | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = callLater(() => over(() => reject(late())), ms)
    const aborted = (): void => over(() => reject(signal?.reason))
    const over = (answer: () => void): void => {
      timer.cancel()
      signal?.removeEventListener('abort', aborted)
      answer()
    }
    work.then(
      (value) => over(() => resolve(value)),
      (error) => over(() => reject(error)),
    )
    if (signal?.aborted) aborted()
    else signal?.addEventListener('abort', aborted)
  })
}
