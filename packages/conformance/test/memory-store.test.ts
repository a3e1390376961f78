import { describeStore } from '@oncekey/conformance'
import { memoryStore } from '@oncekey/core'

const DAY_MS = 24 * 60 * 60 * 1000

for (const mode of ['transaction', 'lease'] as const) {
  describeStore({
    name: `memory, ${mode} mode`,
    modelRuns: 300,
    create() {
      let now = Date.now()
      const store = memoryStore({ mode, now: () => now })
      const advance = (ms: number): void => {
        now += ms
      }
      return {
        store,
        advance,
        write: (transaction, id) => transaction.set(id, true),
        written: (id, within) => (within ? within.get(id) === true : store.data.has(id)),
        events: () => store.events,
        expireResults: () => advance(DAY_MS),
        expireKeys: () => advance(7 * DAY_MS),
      }
    },
  })
}

// As a third party would start: no hooks, real time.
describeStore({
  name: 'memory, lease mode, nothing but the store',
  create: () => ({ store: memoryStore({ mode: 'lease' }) }),
})
