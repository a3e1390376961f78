import type { LoggedEvent } from '@oncekey/core'
import { expect, test } from 'vitest'
import { deliveredEvent } from '../../src/consumer/delivered-event.ts'

const logged: LoggedEvent = {
  slot: 3,
  position: 'p',
  id: 'e1',
  type: 'order.created',
  source: '/shop',
  subject: 'order-1',
  orderingKey: 'order-1',
  data: '{"total":5}',
  headers: '{"traceparent":"00-1-2-01"}',
  occurredAtMs: Date.parse('2026-12-01T00:00:00Z'),
}

// A bug: data, headers and time were left out, and the text of the data was there twice.
test('an event passed on as JSON has its data, headers and time, and nothing of the log', () => {
  const event = deliveredEvent(logged)
  const passedOn = {
    id: 'e1',
    type: 'order.created',
    source: '/shop',
    subject: 'order-1',
    orderingKey: 'order-1',
    data: { total: 5 },
    headers: { traceparent: '00-1-2-01' },
    occurredAt: '2026-12-01T00:00:00.000Z',
  }
  expect(JSON.parse(JSON.stringify(event))).toEqual(passedOn)
  // Once more, now that all parts were read.
  expect(JSON.parse(JSON.stringify(event))).toEqual(passedOn)
})

test('toJSON() is a plain object for a spread or a structured clone', () => {
  const event = deliveredEvent(logged)
  const plain = structuredClone(event.toJSON())
  expect({ ...plain }).toMatchObject({ data: { total: 5 }, occurredAt: event.occurredAt })
  expect(Object.keys(structuredClone(event))).not.toContain('logged')
})
