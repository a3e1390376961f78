import { type OutboxEvent, slotOf } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Events of a route that was called without a key and asked for no transaction. */
export function appendEventsStatement(
  schema: string,
): (events: readonly OutboxEvent[]) => Statement {
  const text = `select ${schema}.append_events_2($1) as outcome`
  return (events) => ({ name: 'append_events_2', text, values: [eventsJson(events)] })
}

/**
 * One parameter for any number of events, so that the statement stays the same. `data` is a string
 * in it: as a value of its own, PostgreSQL would decode it on the way in, and refuse \u0000.
 */
export function eventsJson(events: readonly OutboxEvent[]): string {
  return JSON.stringify(
    events.map((event) => ({
      slot: slotOf(event.orderingKey),
      id: event.id,
      type: event.type,
      source: event.source,
      subject: event.subject,
      ordering_key: event.orderingKey,
      data: event.data,
      headers: event.headers,
      occurred_at: event.occurredAt.toISOString(),
    })),
  )
}
