import { refuseDropped } from '../expressions/must-be-written.ts'

/**
 * Writes events to the outbox, all of them or none. The transaction gets its id first, and the
 * events their numbers after it: readers rely on that order.
 *
 * It replaces an earlier function of the same name, because both mean the same to their callers.
 */
export function writeEventsFunction(schema: string): string {
  return `create or replace function ${schema}.append_events(in_events json) returns void
    language plpgsql volatile as $$
    declare
      own_xid xid8 := pg_current_xact_id();
      written bigint;
    begin
      insert into ${schema}.outbox
          (xid, slot, id, type, source, subject, ordering_key, data, headers, occurred_at)
        select own_xid, e.slot, e.id, e.type, e.source, e.subject, e.ordering_key, e.data::json, e.headers,
            e.occurred_at
          from rows from (json_to_recordset(in_events) as (
            slot smallint, id uuid, type text, source text, subject text, ordering_key text,
            data text, headers jsonb, occurred_at timestamptz
          )) with ordinality as e
            (slot, id, type, source, subject, ordering_key, data, headers, occurred_at, position)
          order by e.position;
      get diagnostics written = row_count;
      ${refuseDropped('outbox', 'written <> json_array_length(in_events)')}
    end $$`
}
