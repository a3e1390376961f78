/** Those who wait for the outcome of one send. */
export interface Waiters {
  /** Aborts once each of those added so far has stopped waiting, and stays aborted. */
  readonly signal: AbortSignal
  /** Whether anybody waits at present. */
  isAwaited(): boolean
  /**
   * Adds one, who stops waiting when this signal aborts. `left` is called at that moment, unless
   * the send is over by then.
   */
  add(signal: AbortSignal, left?: () => void): void
  /** The send is over: the signals are no longer listened to. */
  end(): void
}

export function waiters(): Waiters {
  const gone = new AbortController()
  /** Removes the listeners. An outage can last for thousands of attempts. */
  const listening = new Set<() => void>()
  let waiting = 0
  return {
    signal: gone.signal,
    isAwaited: () => waiting > 0,
    add(signal, left) {
      waiting += 1
      const leave = (): void => {
        forget()
        waiting -= 1
        if (waiting === 0) gone.abort(signal.reason)
        left?.()
      }
      const forget = (): void => {
        listening.delete(forget)
        signal.removeEventListener('abort', leave)
      }
      if (signal.aborted) leave()
      else {
        listening.add(forget)
        signal.addEventListener('abort', leave, { once: true })
      }
    },
    end() {
      for (const forget of listening) forget()
    },
  }
}
