import type { DeliveredEvent } from '../consumer/delivered-event.ts'

/** The attributes of a CloudEvents 1.0 message, each with its name and value. */
export type CloudEventAttributes = readonly (readonly [name: string, value: string])[]

/**
 * The event's attributes, for a broker's binary mode, in which the body is the data exactly as it
 * was written. Extension attributes are `partitionkey` (the ordering key) and, if the event has
 * them, `traceparent` and `tracestate`.
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
 * The event's own headers under their own names, those for tracing included. A name that is an
 * attribute or has a meaning for the broker (`taken`) is dropped, so that an event cannot control
 * the broker.
 */
export function ownHeaders(event: DeliveredEvent, taken: RegExp): [name: string, value: string][] {
  return Object.entries(event.headers).filter(([name]) => !taken.test(name))
}
