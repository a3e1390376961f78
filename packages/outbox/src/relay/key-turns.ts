import { type Item, isLeftOver } from './item.ts'
import type { Slot } from './slot.ts'

/**
 * Of the items of one ordering key, one is under way at a time. The others wait behind it, and each
 * has its turn when the one before has ended.
 */
export interface KeyTurns {
  /** Whether the item may start now. If not, it waits for its turn, or was dropped or parked. */
  mayRun(item: Item): boolean
  /** The item ended, or will not be tried: the next of its key has its turn. */
  free(item: Item): void
  /** An item that has its turn, if there is one. It may start without being asked about again. */
  next(): Item | undefined
  /** The log has confirmed what is on file of this key. `false` if nobody waited for that. */
  sure(orderingKey: string): boolean
  /** How many items wait, or have their turn. */
  size(): number
  clear(): void
}

/** The turns of a consumer that is not ordered. */
export const ANY_ORDER: KeyTurns = {
  mayRun: () => true,
  free: () => {},
  next: () => undefined,
  sure: () => false,
  size: () => 0,
  clear: () => {},
}

interface KeyTurnsOptions {
  /** The item was not tried, because an earlier one will be retried. */
  readonly dropped: (item: Item) => void
  /** The item has to wait behind a delivery of its key that is on file. */
  readonly parked: (item: Item) => void
  /**
   * By the relay's own count no delivery of this key is on file any longer, which the log must
   * confirm. The key waits until `sure` is called.
   */
  readonly unsure: (slot: Slot, orderingKey: string) => void
}

/** The turns of an ordered consumer. */
export function keyTurns(options: KeyTurnsOptions): KeyTurns {
  /** Keys with an item under way, and the items that wait behind it. */
  const busy = new Map<string, Item[]>()
  let waitingCount = 0
  /** Keys with nothing under way that wait for `sure`. */
  const unsure = new Set<string>()
  /** Items that are the next of their key, which is already in `busy`. */
  let turns: Item[] = []

  return {
    mayRun(item) {
      if (isLeftOver(item)) {
        options.dropped(item)
        return false
      }
      const key = item.event.orderingKey
      const waiting = busy.get(key)
      if (waiting !== undefined) {
        waiting.push(item)
        waitingCount += 1
        return false
      }
      if (item.kind === 'entry' && item.slot.held.has(key)) {
        options.parked(item)
        return false
      }
      busy.set(key, [])
      return true
    },
    free(item) {
      const key = item.event.orderingKey
      if (item.slot.held.get(key) !== 0 || item.slot.lost) {
        nextOf(key)
        return
      }
      unsure.add(key)
      options.unsure(item.slot, key)
    },
    next: () => turns.pop(),
    sure(orderingKey) {
      if (!unsure.delete(orderingKey)) return false
      nextOf(orderingKey)
      return true
    },
    size: () => turns.length + waitingCount,
    clear() {
      busy.clear()
      unsure.clear()
      waitingCount = 0
      turns = []
    },
  }

  function nextOf(key: string): void {
    const waiting = busy.get(key)
    for (let other = waiting?.shift(); other !== undefined; other = waiting?.shift()) {
      waitingCount -= 1
      if (other.slot.lost) continue
      if (isLeftOver(other)) {
        options.dropped(other)
        continue
      }
      if (other.kind === 'due' || !other.slot.held.has(key)) {
        turns.push(other)
        return
      }
      options.parked(other)
    }
    busy.delete(key)
  }
}
