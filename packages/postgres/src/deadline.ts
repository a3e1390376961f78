/**
 * Settles as `work` does, or rejects with `late()` once `ms` have passed, or with the signal's reason
 * when it aborts. The work itself goes on: what becomes of it is the caller's to say.
 */
export function within<T>(
  ms: number,
  work: Promise<T>,
  late: () => Error,
  signal?: AbortSignal | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => over(() => reject(late())), ms)
    const aborted = (): void => over(() => reject(signal?.reason))
    const over = (settle: () => void): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
      settle()
    }
    work.then(
      (value) => over(() => resolve(value)),
      (error) => over(() => reject(error)),
    )
    if (signal?.aborted) aborted()
    else signal?.addEventListener('abort', aborted)
  })
}
