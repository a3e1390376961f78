/** Resolves after a time, or when the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', over)
      resolve()
    }
    const timer = setTimeout(over, Math.max(0, Math.min(ms, 2 ** 31 - 1)))
    if (signal?.aborted) over()
    else signal?.addEventListener('abort', over)
  })
}
