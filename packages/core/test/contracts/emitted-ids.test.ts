import { type EmittedEvent, emittedIds, newEventId, outboxEvent } from '@oncekey/core'
import { validate, version } from 'uuid'
import { expect, test } from 'vitest'

const [cause, other] = [newEventId(), newEventId()]
const placed = { type: 'order.placed', subject: '1' }

function idsOf(consumer: string, eventId: string, events: readonly EmittedEvent[]): string[] {
  const idOf = emittedIds(consumer, eventId)
  return events.map((event) => idOf(event, JSON.stringify(event.data ?? null)))
}

test('what is emitted for an event has the same ids at each of its deliveries', () => {
  const events = [placed, placed, { type: 'order.placed' }, { type: 'mail.sent', subject: '1' }]
  const ids = idsOf('shipping', cause, events)
  expect(new Set(ids).size).toBe(4)
  expect(idsOf('shipping', cause, events)).toEqual(ids)
  expect(idsOf('shipping', cause, [...events].reverse()).sort()).toEqual([...ids].sort())
})

// A bug: events of one type and subject were numbered in the order of their emission, so that two
// that were emitted in another order the next time had each other's ids.
test('an id names the same content, in whatever order the events are emitted', () => {
  const to = (data: string) => ({ type: 'mail.sent', data })
  const [ann, bob] = idsOf('shipping', cause, [to('Ann'), to('Bob')])
  expect(ann).not.toBe(bob)
  expect(idsOf('shipping', cause, [to('Bob'), to('Ann')])).toEqual([bob, ann])
})

// A bug: events that differ in these only were numbered by the order of their emission.
test.each([
  [{ headers: { tenant: 'a' } }, { headers: { tenant: 'b' } }],
  [{ orderingKey: 'a' }, { orderingKey: 'b' }],
  [{ source: '/a' }, { source: '/b' }],
  [{ orderingKey: '/a' }, { source: '/a' }],
])('an id is of %j, and another of %j', (one, other) => {
  const emitted = [
    { ...placed, ...one },
    { ...placed, ...other },
  ]
  const ids = idsOf('shipping', cause, emitted)
  expect(new Set(ids).size).toBe(2)
  expect(idsOf('shipping', cause, [...emitted].reverse())).toEqual([...ids].reverse())
})

test('neither the order of headers nor those of tracing make another id', () => {
  const of = (headers: Record<string, string>) => idsOf('shipping', cause, [{ ...placed, headers }])
  expect(of({ a: '1', b: '2', traceparent: 'x' })).toEqual(of({ b: '2', a: '1' }))
  expect(of({ traceparent: 'x' })).toEqual(idsOf('shipping', cause, [placed]))
})

test('what another consumer emits, or for another event, has other ids', () => {
  const [id] = idsOf('shipping', cause, [placed])
  expect(idsOf('email', cause, [placed])).not.toContain(id)
  expect(idsOf('shipping', other, [placed])).not.toContain(id)
})

test('the ids are UUIDs with the time of the event, if its id has one', () => {
  const [timed = ''] = idsOf('shipping', cause, [placed])
  expect([validate(timed), version(timed), timed.slice(0, 13)]).toEqual([
    true,
    7,
    cause.slice(0, 13),
  ])
  const [untimed = ''] = idsOf('shipping', 'row 5 of another table', [placed])
  expect([validate(untimed), version(untimed)]).toEqual([true, 8])
})

test('an event that cannot be stored is refused as without such an id', () => {
  const idOf = emittedIds('shipping', cause)
  const emit = () => outboxEvent(null as never, { source: '/', traceparent: undefined, idOf })
  expect(emit).toThrow(expect.objectContaining({ code: 'event-invalid' }))
})
