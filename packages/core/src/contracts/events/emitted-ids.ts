import { hash } from 'node:crypto'
import { parse, stringify, validate, version } from 'uuid'
import type { EmittedEvent } from './event.ts'

/**
 * Makes the ids of the events that a consumer emits while it handles one event: the same at each
 * delivery of that event, so that whoever gets an emitted event knows it again if it was emitted a
 * second time. That happens if a failover takes back that the event was handled, though what was
 * emitted had reached others by then, and once the log has forgotten it.
 *
 * An id depends on the consumer, the event, the type, the subject and the JSON text of the data,
 * and on the headers, the ordering key and the source that were given; those that are equal in all
 * of this are numbered. Headers of tracing do not count, since they differ at each delivery. So one
 * id never means two contents, in whatever order they are emitted, and what differs at each
 * delivery has another id each time. In front
 * is the time of the event's id, if that is a UUIDv7, so that ids stay in the order of time; any
 * other makes a UUIDv8.
 */
export function emittedIds(
  consumer: string,
  eventId: string,
): (event: EmittedEvent, data: string) => string {
  const counts = new Map<string, number>()
  const isTimed = validate(eventId) && version(eventId) === 7
  return (event, data) => {
    const { type, subject = null } = event
    const content = hash('sha256', JSON.stringify([type, subject, data, ...furtherParts(event)]))
    const count = (counts.get(content) ?? 0) + 1
    counts.set(content, count)
    const seed = JSON.stringify([consumer, eventId, content, count])
    const id = new Uint8Array(hash('sha256', seed, 'buffer').subarray(0, 16))
    if (isTimed) id.set(parse(eventId).subarray(0, 6))
    id[6] = ((id[6] ?? 0) & 0x0f) | (isTimed ? 0x70 : 0x80)
    id[8] = ((id[8] ?? 0) & 0x3f) | 0x80
    return stringify(id)
  }
}

/** What an event has beside type, subject and data; nothing if it has none of it. */
function furtherParts({ headers = {}, orderingKey, source }: EmittedEvent): unknown[] {
  const told = Object.entries(headers)
    .filter(([name]) => !OF_TRACING.has(name.toLowerCase()))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  if (told.length === 0 && orderingKey === undefined && source === undefined) return []
  return [told, orderingKey ?? null, source ?? null]
}

const OF_TRACING = new Set(['traceparent', 'tracestate', 'baggage'])
