import { auditCall, deadLetterTarget } from '../../operator/audit/audit-call.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { isForgotten } from './dead-letter-filter.ts'
import { isDone } from './dead-letter-redrive.ts'

export interface Replacement {
  readonly id: string
  readonly eventId: string
  /** JSON text. */
  readonly data: string
  /** JSON text: the parts in which the new data differs from the old. */
  readonly changes: string
  readonly actor: string | null
  readonly note: string | null
}

/**
 * Resolves a dead letter, and files a delivery of the same event with other data, under another id
 * and due at once. Each of the two names the other. Returns no row if the letter is not dead, has
 * no consumer, or if the consumer has already taken in the event.
 *
 * The inbox would not recognise the new delivery as a duplicate of the old one, so the letter's own
 * event is marked as taken in. An attempt on the letter may still be open although the relay gave
 * it up: this statement waits for its end. Another may begin late, in a process that has lost the
 * slot: it finds the mark and does nothing.
 */
export function replaceDead(schema: string): (by: Replacement) => Statement<{ id: string }> {
  const audit = auditCall(schema, {
    actor: '$4',
    note: '$5',
    act: 'dead-letters.edit-and-redrive',
    target: deadLetterTarget('consumers', 'done.id'),
    detail: `jsonb_build_object('origin', done.consumer, 'eventId', done.event_id, 'newId',
          made.id::text, 'newEventId', $2::text, 'changes', $6::jsonb)`,
  })
  return ({ id, eventId, data, changes, actor, note }) => ({
    name: 'replace_dead',
    text: `
      with was as materialized (
        select d.* from ${schema}.deliveries d
          where d.id = $1::bigint and d.state = 'dead' and not ${isForgotten(schema)}
            and not ${isDone(schema)}
          for update of d
      ), mark as (
        insert into ${schema}.processed_events (consumer, event_id)
          select w.consumer, w.event_id from was w
          on conflict on constraint processed_events_pkey do nothing
          returning event_id
      ), made as (
        insert into ${schema}.deliveries (consumer, slot, seq, event_id, type, source, subject,
            ordering_key, data, headers, occurred_at, state, attempts, starts, redrives, due_at,
            first_failed_at, replaces)
          select w.consumer, w.slot, w.seq, $2::text, w.type, w.source, w.subject, w.ordering_key,
              $3::json, w.headers || jsonb_build_object('replaces', w.event_id), w.occurred_at,
              'retrying', 0, 0, 1, clock_timestamp(), w.first_failed_at, w.id
            from was w join mark on mark.event_id = w.event_id
          returning id, replaces
      ), done as (
        update ${schema}.deliveries d
          set state = 'resolved', resolution = 'replaced', resolved_at = clock_timestamp(),
            note = $5::text, replaced_by = made.id
          from made where d.id = made.replaces
          returning d.id, d.consumer, d.event_id
      )
      select made.id::text as id, ${audit}::text as operation from made cross join done`,
    values: [id, eventId, data, actor, note, changes],
  })
}
