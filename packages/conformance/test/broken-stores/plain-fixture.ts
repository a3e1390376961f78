import type { StoreFixture } from '@oncekey/conformance'
import { DAY_MS, plainStore, rightSteps, type Steps } from './plain-store.ts'
import type { PlainTransaction } from './plain-table.ts'

/** Plain stores over one table, all with the same steps. */
export function plainFixture(
  mode: 'transaction' | 'lease',
  stepsOf: (right: Steps) => Steps = (right) => right,
): StoreFixture<PlainTransaction> {
  const table = {
    rows: new Map(),
    events: [],
    written: new Set<string>(),
    trail: [],
    now: Date.now(),
    isClosed: false,
  }
  const advance = (ms: number): void => {
    table.now += ms
  }
  const steps = stepsOf(rightSteps(mode))
  const otherMode = mode === 'lease' ? 'transaction' : 'lease'
  return {
    store: plainStore(mode, table, steps),
    otherMode: () => plainStore(otherMode, table, stepsOf(rightSteps(otherMode))),
    another: () => plainStore(mode, table, steps),
    advance,
    close() {
      table.isClosed = true
    },
    write: (transaction, id) => steps.write(transaction, id, table),
    written: (id, within) => table.written.has(id) || within?.staged.has(id) === true,
    fail(transaction) {
      transaction.hasFailed = true
    },
    events: () => table.events,
    expireResults: () => advance(DAY_MS),
    expireKeys: () => advance(7 * DAY_MS),
  }
}
