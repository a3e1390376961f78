import { describeLog } from '@oncekey/conformance'
import { memoryLog, memoryStore } from '@oncekey/core'

describeLog({
  name: 'memory',
  create() {
    let now = Date.now()
    const store = memoryStore()
    return {
      log: memoryLog(store, { now: () => now }),
      advance: (ms) => {
        now += ms
      },
      write: (transaction, id) => transaction.set(id, true),
      written: (id) => store.data.has(id),
    }
  },
})

// As a third party would begin: no hooks, real time.
describeLog({
  name: 'memory, nothing but the log',
  create: () => ({ log: memoryLog(memoryStore()) }),
})
