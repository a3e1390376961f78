import type { RunnerState } from './runner-state.ts'

/** Reports what ended since the last report. Sends nothing if nothing ended. */
export async function reportWork<Tx>(state: RunnerState<Tx>): Promise<void> {
  const { log, consumer, relay, work } = state
  const now = performance.now()
  const { ended, reportedAt, isZero, lastError } = work
  if (ended === 0 && isZero) return
  work.ended = 0
  work.reportedAt = now
  work.isZero = ended === 0
  const perSecond = (ended * 1_000) / Math.max(1, now - reportedAt)
  await log.control.report({ consumer: consumer.name, relay, perSecond, lastError })
}
