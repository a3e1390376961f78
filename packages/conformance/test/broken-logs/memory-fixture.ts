import type { LogFixture } from '@oncekey/conformance'
import {
  type EventLog,
  type MemoryStore,
  type MemoryTransaction,
  memoryLog,
  memoryStore,
} from '@oncekey/core'
import { withLives } from './with-lives.ts'

/** What a fault may use beside the log it belongs to. */
export interface Inside {
  readonly store: MemoryStore
  now(): number
  /** Returns a position or an epoch as if the current life had handed it out. */
  ofNow(text: string): string
}

/** The memory log with some methods replaced. */
export function memoryLogFixture(
  replaced: (
    log: EventLog<MemoryTransaction>,
    inside: Inside,
  ) => Partial<EventLog<MemoryTransaction>> = () => ({}),
): LogFixture<MemoryTransaction> {
  let now = Date.now()
  const store = memoryStore()
  const lives = withLives(memoryLog(store, { now: () => now }))
  const inside = { store, now: () => now, ofNow: lives.ofNow }
  const log = { ...lives.log, ...replaced(lives.log, inside) }
  return {
    log,
    anotherLife: lives.begin,
    // Events of an open transaction exist nowhere until it commits.
    open: async (events) => ({ commit: () => log.append(events), rollback: async () => {} }),
    advance: (ms) => {
      now += ms
    },
    write: (transaction, id) => transaction.set(id, true),
    written: (id) => store.data.has(id),
  }
}
