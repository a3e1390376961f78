import type { ResolvedOptions } from '../options/options.ts'
import { mendTimes, readClock } from '../statements/clock.ts'
import { runStatement } from '../statements/run-statement.ts'

/**
 * Reads the database's clock once a minute and compares it with our monotonic clock. If the
 * database's clock lost time, it was put back, and the times that were set before are moved. The
 * first call moves them too, because this process does not know what the clock was before. Waiting
 * rows are therefore searched only when there is a reason to.
 */
export function clockWatch(options: ResolvedOptions): () => Promise<void> {
  let before: { readonly askedAt: number; readonly clockMs: number } | undefined

  return async () => {
    const askedAt = performance.now()
    if (before !== undefined && askedAt - before.askedAt < EVERY_MS) return
    const [row] = await runStatement(options, readClock())
    const clockMs = Number(row?.ms)
    const isAsBefore =
      before !== undefined && clockMs - before.clockMs >= askedAt - before.askedAt - TOLERATED_MS
    if (!isAsBefore) await runStatement(options, mendTimes(options.schema))
    before = { askedAt, clockMs }
  }
}

const EVERY_MS = 60_000
/**
 * Below the five seconds that `mendTimes` looks for, so that a slow reply hides no clock put back.
 */
const TOLERATED_MS = 4_000
