import { messageOf, OncekeyError, type OutboxEvent, slotOf } from '@oncekey/core'
import type { Statement } from '../sql/sql-client.ts'

/** Appends events to the log, in autocommit or in a transaction that the caller has open. */
export function appendEventsStatement(
  schema: string,
): (events: readonly OutboxEvent[]) => Statement {
  const text = `select ${schema}.append_events_2($1) as outcome`
  return (events) => ({ name: 'append_events_2', text, values: [eventsJson(events)] })
}

/**
 * Events as one JSON parameter, so that the statement is the same for any number of them. `data` is
 * a string inside the JSON: PostgreSQL would decode a JSON value when it arrives, and refuse
 * \u0000. Throws `event-invalid` if they are too long together for one text.
 */
export function eventsJson(events: readonly OutboxEvent[]): string {
  try {
    return JSON.stringify(events.map(rowOf))
  } catch (cause) {
    throw new OncekeyError(
      'event-invalid',
      `${events.length} events cannot be written as one JSON text: ${messageOf(cause)}. A text has ` +
        'at most 512 million characters: append fewer at a time, with append(client, events).',
      { cause },
    )
  }
}

function rowOf(event: OutboxEvent): object {
  return {
    slot: slotOf(event.orderingKey),
    id: event.id,
    type: event.type,
    source: event.source,
    subject: event.subject,
    ordering_key: event.orderingKey,
    data: event.data,
    headers: event.headers,
    occurred_at: event.occurredAt.toISOString(),
  }
}
