import type { LogFixture } from '@oncekey/conformance'
import {
  type EventLog,
  type MemoryStore,
  type MemoryTransaction,
  memoryLog,
  memoryStore,
} from '@oncekey/core'

/** What a fault may use beside the log it belongs to. */
export interface Inside {
  readonly store: MemoryStore
  now(): number
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
  const right = memoryLog(store, { now: () => now })
  const log = { ...right, ...replaced(right, { store, now: () => now }) }
  return {
    log,
    // Events of an open transaction exist nowhere until it commits.
    open: async (events) => ({ commit: () => log.append(events), rollback: async () => {} }),
    advance: (ms) => {
      now += ms
    },
    write: (transaction, id) => transaction.set(id, true),
    written: (id) => store.data.has(id),
  }
}
