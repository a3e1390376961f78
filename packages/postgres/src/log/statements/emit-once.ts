import type { OutboxEvent } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { eventsJson } from '../../store/statements/append-events.ts'

/** Appends what a consumer emitted, unless it has taken the event in before. */
export function emitOnce(
  schema: string,
): (
  consumer: string,
  eventId: string,
  events: readonly OutboxEvent[],
) => Statement<{ outcome: 'done' | 'duplicate' }> {
  const text = `select ${schema}.emit_once($1::text, $2::text, $3::json) as outcome`
  return (consumer, eventId, events) => ({
    name: 'emit_once',
    text,
    values: [consumer, eventId, eventsJson(events)],
  })
}
