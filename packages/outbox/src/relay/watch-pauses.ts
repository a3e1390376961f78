import { type ConsumerControl, callLater, type Later } from '@oncekey/core'

/**
 * Asks at intervals which consumers are paused, and passes that to `apply`, until it is stopped. If
 * the log fails, nothing changes until it replies again.
 */
export function watchPauses(of: {
  readonly control: ConsumerControl
  readonly consumers: readonly string[]
  readonly everyMs: number
  apply(paused: ReadonlySet<string>): void
  failed(error: unknown): void
}): { stop(): void } {
  const { control, consumers, everyMs } = of
  let over = false
  let timer: Later | undefined
  void ask()

  return {
    stop() {
      over = true
      timer?.cancel()
    },
  }

  async function ask(): Promise<void> {
    try {
      const paused = await control.paused(consumers)
      if (!over) of.apply(new Set(paused))
    } catch (error) {
      if (!over) of.failed(error)
    }
    if (!over) timer = callLater(() => void ask(), everyMs).unref()
  }
}
