import type { DeliveredEvent } from '../consumer/delivered-event.ts'

/** Name and value of each attribute of a CloudEvents 1.0 message. */
export type CloudEventAttributes = readonly (readonly [name: string, value: string])[]

/**
 * The event's attributes, for a broker's binary mode, in which the data is the body exactly as it
 * was written. Extensions are `partitionkey` (the ordering key) and, where the event has them,
 * `traceparent` and `tracestate`.
 */
export function cloudEventAttributes(event: DeliveredEvent): CloudEventAttributes {
  const { headers, subject } = event
  const attributes: [string, string][] = [
    ['specversion', '1.0'],
    ['id', event.id],
    ['source', event.source],
    ['type', event.type],
    ['time', event.occurredAt.toISOString()],
    ['datacontenttype', DATA_CONTENT_TYPE],
    ['partitionkey', event.orderingKey],
  ]
  if (subject !== null) attributes.push(['subject', subject])
  for (const name of ['traceparent', 'tracestate']) {
    const value = headers[name]
    if (value !== undefined) attributes.push([name, value])
  }
  return attributes
}

export const DATA_CONTENT_TYPE = 'application/json'

/**
 * The event's own headers under their own names, tracing included. Names that are attributes or
 * mean something to the broker (`taken`) are dropped, so that an event cannot steer the broker.
 */
export function ownHeaders(event: DeliveredEvent, taken: RegExp): [name: string, value: string][] {
  return Object.entries(event.headers).filter(([name]) => !taken.test(name))
}
