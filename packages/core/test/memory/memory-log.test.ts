import { memoryLog, memoryStore, once, outboxEvent } from '@oncekey/core'
import { expect, test } from 'vitest'
import { memoryDeliveries } from '../../src/memory/memory-deliveries.ts'
import { memoryInbox } from '../../src/memory/memory-inbox.ts'
import { insidesOf } from '../../src/memory/memory-store.ts'

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

const eventOf = (subject: string) =>
  outboxEvent({ type: 'order.placed', subject }, { source: '/shop', traceparent: undefined })
const other = eventOf('other')

// A bug: the marks of what consumers had taken in only grew.
test('what was taken in is remembered for as long as the event is there, or its delivery', async () => {
  const store = memoryStore()
  const inside = insidesOf(store)
  if (inside === undefined) throw new Error('This is no store.')
  const inbox = memoryInbox(inside)
  const taken = [eventOf('passed'), eventOf('failed'), eventOf('twice')]
  const [passed, failed, twice] = taken.map(({ id }) => id)
  inside.outbox.append(taken)
  for (const { id } of taken) {
    expect(await inbox.emit({ consumer: 'email', eventId: id, events: [] })).toBe('done')
  }
  const others = Array.from({ length: 100_000 }, () => other)
  inside.outbox.append([...others, ...taken.slice(2)])
  const remembered = () => [passed, failed, twice].map((id) => inbox.has('email', id ?? ''))
  inbox.forget(() => new Set())
  expect(remembered()).toEqual([true, true, true])
  expect(inside.outbox.trim()).toBe(4)
  inbox.forget(() => new Set([failed ?? '']))
  expect(remembered()).toEqual([false, true, true])
  inbox.forget(() => new Set())
  expect(remembered()).toEqual([false, false, true])
})

test('`maintain` forgets what was taken in of events that it drops', async () => {
  const log = memoryLog(memoryStore())
  const event = eventOf('one')
  const emit = () => log.emit({ consumer: 'email', eventId: event.id, events: [] })
  await log.append([event])
  expect([await emit(), await emit()]).toEqual(['done', 'duplicate'])
  await log.append(Array.from({ length: 100_000 }, () => other))
  expect(await emit()).toBe('duplicate')
  expect((await log.maintain()).dropped).toBe(1)
  expect(await emit()).toBe('done')
})

// A bug: they were kept, and looked through for each slot, for as long as the process lived.
test('resolved letters are forgotten after 30 days', () => {
  let time = 0
  const deliveries = memoryDeliveries(() => time)
  const { occurredAt, headers, ...event } = eventOf('one')
  const logged = { ...event, slot: 1, position: '1', headers: '{}', occurredAtMs: 0 } as never
  const verdict = { kind: 'dead', reason: 'permanent' } as const
  deliveries.file('email', { event: logged, verdict, attempt: null })
  deliveries.setAside('email', { remaining: 'discard', note: 'gone', actor: 'ops' } as never)
  expect(deliveries.openEvents()).toEqual(new Set())
  time = 30 * 86_400_000 - 1
  deliveries.forgetResolved()
  expect(deliveries.all).toHaveLength(1)
  time += 1
  deliveries.forgetResolved()
  expect(deliveries.all).toHaveLength(0)
})
