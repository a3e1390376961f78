import type { OutboxEvent } from '../contracts/events/event.ts'

/** The committed events of a memory store, numbered from 0; the oldest are dropped. */
export interface MemoryOutbox {
  /** The events, with numbers from `first` on. */
  readonly events: OutboxEvent[]
  readonly first: number
  append(committed: readonly OutboxEvent[]): void
  /** How long ago the event was committed, whatever its `occurredAt` says. */
  waitingMs(event: OutboxEvent): number
  /**
   * Sets the function that returns the number of the first event that is still needed. The last
   * 100,000 are always kept.
   */
  keepFrom(number: () => number): void
  /** Drops the events that are no longer needed, and returns how many it dropped. */
  trim(): number
  /** Sets a function that is told which events were dropped. */
  onDropped(tell: (dropped: readonly OutboxEvent[]) => void): void
}

export function memoryOutbox(): MemoryOutbox {
  const appended = new WeakMap<OutboxEvent, number>()
  const events: OutboxEvent[] = []
  const readers: (() => number)[] = []
  const told: ((dropped: readonly OutboxEvent[]) => void)[] = []
  let first = 0

  return {
    events,
    get first() {
      return first
    },
    append(committed) {
      for (const event of committed) {
        events.push(event)
        appended.set(event, performance.now())
      }
      // One splice for every 100,000 events costs next to nothing; one shift for every event is
      // expensive.
      if (events.length >= 2 * EVENTS_KEPT) trim()
    },
    waitingMs: (event) => performance.now() - (appended.get(event) ?? performance.now()),
    keepFrom(number) {
      readers.push(number)
    },
    trim,
    onDropped(tell) {
      told.push(tell)
    },
  }

  function trim(): number {
    const kept = first + events.length - EVENTS_KEPT
    const count = Math.max(0, Math.min(kept, ...readers.map((reader) => reader())) - first)
    const dropped = events.splice(0, count)
    first += count
    for (const tell of told) tell(dropped)
    return count
  }
}

const EVENTS_KEPT = 100_000
