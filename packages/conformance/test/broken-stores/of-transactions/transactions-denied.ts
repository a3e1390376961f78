import type { BrokenStore } from '../broken-store.ts'
import { plainFixture } from '../plain-fixture.ts'

/** The capability and the method disagree. */
export const transactionsDenied: BrokenStore = {
  fault: 'says that it has no transactions, and opens them',
  modes: ['transaction', 'lease'],
  create(mode) {
    const fixture = plainFixture(mode)
    const capabilities = { ...fixture.store.capabilities, transactions: false }
    return { ...fixture, store: { ...fixture.store, capabilities } }
  },
  caughtBy: ['the transaction: is refused with `transaction-unsupported` if the store has none'],
}
