import type { Lag } from '@oncekey/core'
import { allSlots } from './keys/slot-keys.ts'
import { measureLagScript, type SlotToCount } from './scripts/reading/measure-lag.ts'
import type { LogState } from './state/log-state.ts'

/**
 * How far a consumer is behind, counted up to 10,000. It is counted by several scripts, each of
 * which is short however large the events are.
 */
export async function lagOf(log: LogState, consumer: string): Promise<Lag> {
  let known = false
  let events = 0
  let oldestMs: number | null = null
  let slots: readonly SlotToCount[] = allSlots.map((slot) => ({ slot, behind: '' }))
  while (slots.length > 0) {
    // In a cluster the first call counts on all nodes at once.
    const most = COUNTED - events
    const lags = await log.askSlots(measureLagScript, slots, (some) => ({
      slots: some,
      consumer,
      most,
    }))
    for (const lag of lags) {
      known ||= lag.known
      events += lag.events
      if (lag.oldestMs !== null) oldestMs = Math.max(oldestMs ?? 0, lag.oldestMs)
    }
    if (events >= COUNTED) break
    slots = lags.flatMap(({ goOn }) => goOn)
  }
  return { known, events: Math.min(COUNTED, events), oldestMs, horizon: null }
}

const COUNTED = 10_000
