import { memoryLog, memoryStore, once } from '@oncekey/core'
import { expect, test } from 'vitest'

// `append(store.events)` read the list that it was adding to, until the memory was full.
test("the store's own list of events can be appended to its log", async () => {
  const store = memoryStore()
  const placed = once({ store, namespace: 'orders' })
  await placed.run({ scope: 'ana', key: 'k', input: null }, ({ emit }) => {
    emit({ type: 'order.placed', data: { item: 'harp' } })
  })
  await memoryLog(store).append(store.events)
  const [first, second] = store.events
  expect(store.events).toHaveLength(2)
  expect(second?.id).toBe(first?.id)
})
