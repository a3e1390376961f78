import { type AdapterSuiteStore, memoryStores } from '@oncekey/conformance'
import { OncekeyError, type Store } from '@oncekey/core'

/** The memory store in both modes, and one without transactions, as Redis is. */
export const testedStores: readonly AdapterSuiteStore[] = [
  ...memoryStores,
  {
    name: 'memory store without transactions',
    async create() {
      const fixture = await (memoryStores[1] as AdapterSuiteStore).create()
      return { ...fixture, store: withoutTransactions(fixture.store) }
    },
  },
]

function withoutTransactions(store: Store): Store {
  const denied = (): Promise<never> =>
    Promise.reject(new OncekeyError('transaction-unsupported', 'this store has none'))
  return {
    ...store,
    capabilities: { ...store.capabilities, transactions: false },
    async begin(claim) {
      const decision = await store.begin(claim)
      if (decision.kind !== 'run') return decision
      return { kind: 'run', attempt: { ...decision.attempt, transaction: denied } }
    },
    open: async (options) => ({ ...(await store.open(options)), transaction: denied }),
  }
}
