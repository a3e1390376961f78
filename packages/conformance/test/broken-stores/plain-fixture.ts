import type { StoreFixture } from '@oncekey/conformance'
import type { Claim } from '@oncekey/core'
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
    over: new Set(['']),
    trail: [],
    now: Date.now(),
    isClosed: false,
  }
  const advance = (ms: number): void => {
    table.now += ms
  }
  const steps = stepsOf(rightSteps(mode))
  const otherMode = mode === 'lease' ? 'transaction' : 'lease'
  const store = { ...plainStore(mode, table, steps), settle: async () => 0 }
  return {
    store,
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
    async unanswered() {
      const waiting: Claim[] = []
      const begin = async (claim: Claim): Promise<never> => {
        waiting.push(claim)
        throw new Error('There was no answer.')
      }
      return {
        store: { ...store, begin, settle: async () => steps.open(waiting) },
        async answer() {
          for (const claim of waiting.splice(0)) {
            const decision = await store.begin(claim)
            if (decision.kind === 'run') await steps.onUnheard(decision.attempt, 'an error')
          }
        },
      }
    },
    async sentTwice() {
      const late: Claim[] = []
      const begin = (claim: Claim) => {
        late.push(claim)
        return store.begin(claim)
      }
      return {
        store: { ...store, begin },
        async deliver() {
          for (const claim of late.splice(0)) {
            const decision = await store.begin(claim)
            if (decision.kind === 'run') await steps.onUnheard(decision.attempt, 'an answer')
          }
        },
      }
    },
    lose: (claim) => void table.rows.delete(steps.id(claim)),
  }
}
