/** A signal that aborts with the first of some others. */
export interface FirstAbort {
  readonly signal: AbortSignal
  /** Follows the others no longer, and leaves no listener on them. */
  release(): void
}

/**
 * Makes a signal that aborts with the first of these, and for the same reason. `AbortSignal.any` is
 * not used: Node keeps what it returns for as long as somebody listens to it, in some releases for
 * ever, and with it whatever the listener refers to.
 */
export function firstAbort(signals: readonly AbortSignal[]): FirstAbort {
  const controller = new AbortController()
  const abort = ({ target }: Event): void => controller.abort((target as AbortSignal).reason)
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason)
    signal.addEventListener('abort', abort)
  }
  return {
    signal: controller.signal,
    release() {
      for (const signal of signals) signal.removeEventListener('abort', abort)
    },
  }
}
