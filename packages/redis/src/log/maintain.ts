import type { Maintenance } from '@oncekey/core'
import { allSlots } from './keys/slot-keys.ts'
import { type TrimmedSlots, trimSlotsScript } from './scripts/reading/trim-slots.ts'
import type { LogState } from './state/log-state.ts'

/**
 * Deletes what was kept long enough, and returns the missing consumers, which keep other events
 * from being deleted.
 */
export async function maintainLog(log: LogState): Promise<Maintenance> {
  const { retentionMs, missingAfterMs, abandonedAfterMs, resolvedRetentionMs } = log
  const trimmed: TrimmedSlots[] = []
  // Each round is another script, so that other commands are served in between.
  for (let more = true; more; ) {
    const { replies: some } = await log.askSlotsThere(trimSlotsScript, allSlots, (slots) => ({
      slots,
      retentionMs,
      missingAfterMs,
      abandonedAfterMs,
      resolvedRetentionMs,
    }))
    trimmed.push(...some)
    more = some.some((each) => each.more)
  }
  const missing = new Map<string, number>()
  const abandoned = new Set<string>()
  for (const { consumer, seenAtMs, isAbandoned } of trimmed.flatMap(({ silent }) => silent)) {
    if (isAbandoned) abandoned.add(consumer)
    else missing.set(consumer, Math.max(missing.get(consumer) ?? 0, seenAtMs))
  }
  return {
    dropped: trimmed.reduce((sum, { dropped }) => sum + dropped, 0),
    missing: [...missing].map(([consumer, at]) => ({ consumer, lastSeenAt: new Date(at) })),
    abandoned: [...abandoned],
  }
}
