import type { HeldSlot, OutboxEvent } from '@oncekey/core'
import { eventsJson } from '../../commit/append-events.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { heldLife } from './held-slots.ts'

/** Marks events as taken in by a consumer, and the transaction as that of an intake. */
export function takeIn(schema: string): (intake: IntakeQuestion) => Statement<{ reply: string }> {
  const text = `select ${schema}.take_in($1::text, $2::integer, $3::text, $4::json) as reply`
  const textOfSlots = `select ${schema}.take_in($1::text, $2::integer, $3::text,
      ${schema}.in_life($4::json, $5::text)) as reply`
  return ({ token, backstopMs, consumer, eventIds, slots }) => {
    const values = [token, backstopMs, consumer, JSON.stringify(eventIds)]
    return slots === undefined
      ? { name: 'take_in', text, values }
      : { name: 'take_in_of_slots', text: textOfSlots, values: [...values, heldLife(slots)] }
  }
}

export interface IntakeQuestion {
  readonly token: string
  readonly backstopMs: number
  readonly consumer: string
  readonly eventIds: readonly string[]
  /**
   * The slots of the events, with the life in which their epochs are valid; the statement fails if
   * the server is in another life. `undefined` for messages of another queue.
   */
  readonly slots: readonly HeldSlot[] | undefined
}

/** The JSON in `reply`. */
export interface TakenInJson {
  readonly started: { readonly backend: number; readonly started: string }
  readonly fresh: readonly string[]
}

/** Appends the events that a consumer emitted, unless it has taken the event in before. */
export function emitOnce(
  schema: string,
): (
  consumer: string,
  eventId: string,
  events: readonly OutboxEvent[],
) => Statement<{ outcome: 'done' | 'duplicate' }> {
  const text = `select ${schema}.emit_once($1::text, $2::text, $3::json) as outcome
      where ${schema}.at_read_committed()`
  return (consumer, eventId, events) => ({
    name: 'emit_once',
    text,
    values: [consumer, eventId, eventsJson(events)],
  })
}
