import { type ConsumerControl, callLater, type Later } from '@oncekey/core'
import { askPauses } from './ask-pauses.ts'

/**
 * Asks at intervals which consumers are paused, and passes that to `apply`, until it is stopped.
 * For a consumer of which nothing is known, nothing changes until the log replies again.
 */
export function watchPauses(of: {
  readonly control: ConsumerControl
  readonly consumers: readonly string[]
  readonly everyMs: number
  apply(paused: ReadonlySet<string>, known: ReadonlySet<string>): void
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
    const { paused, known, failures } = await askPauses(control, consumers, () => over)
    if (over) return
    if (failures.length > 0) of.failed(failures[0])
    of.apply(paused, known)
    timer = callLater(() => void ask(), everyMs).unref()
  }
}
