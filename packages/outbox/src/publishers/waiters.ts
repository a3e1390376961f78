/** Those who wait for the outcome of one send. */
export interface Waiters {
  /** Aborts once each of those added so far has stopped waiting, and stays aborted. */
  readonly signal: AbortSignal
  /** Whether anybody waits at present. */
  isAwaited(): boolean
  /** Adds one, who stops waiting when this signal aborts. */
  add(signal: AbortSignal): void
  /** The send is over: the signals are no longer listened to. */
  end(): void
}

export function waiters(): Waiters {
  const gone = new AbortController()
  const over = new AbortController()
  let waiting = 0
  return {
    signal: gone.signal,
    isAwaited: () => waiting > 0,
    add(signal) {
      waiting += 1
      const leave = (): void => {
        waiting -= 1
        if (waiting === 0) gone.abort(signal.reason)
      }
      if (signal.aborted) leave()
      else signal.addEventListener('abort', leave, { once: true, signal: over.signal })
    },
    end: () => over.abort(),
  }
}
