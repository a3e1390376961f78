import { refuseDropped } from '../expressions/must-be-written.ts'

/**
 * The first statement of a consumer's transaction: marks the events as taken in, and the
 * transaction as this intake's. Whoever takes in the same event at the same time waits here. An
 * event without a new mark is a duplicate only if its mark is there.
 *
 * Replaces the function of the same name, since it means the same to whoever calls it.
 */
export function takeInFunction(schema: string): string {
  return `create or replace function ${schema}.take_in(in_attempt text, in_backstop_ms integer,
      in_consumer text, in_events json)
    returns text language plpgsql volatile as $$
    declare
      started text := ${schema}.start_attempt(in_attempt, in_backstop_ms);
      fresh text[];
    begin
      with taken as (
        insert into ${schema}.processed_events (consumer, event_id)
          select in_consumer, e from json_array_elements_text(in_events) e order by e
          on conflict on constraint processed_events_pkey do nothing
          returning event_id
      )
      select coalesce(array_agg(event_id), '{}') into fresh from taken;
      if cardinality(fresh) < json_array_length(in_events) then
        ${refuseDropped(
          'processed_events',
          `exists (select from json_array_elements_text(in_events) e
            where e <> all(fresh) and not exists (select from ${schema}.processed_events p
              where p.consumer = in_consumer and p.event_id = e))`,
        )}
      end if;
      return json_build_object('started', started::json, 'fresh', to_json(fresh))::text;
    end $$`
}

/** The same for events that a consumer emitted without asking for a transaction. */
export function emitOnceFunction(schema: string): string {
  return `create or replace function ${schema}.emit_once(in_consumer text, in_event text,
      in_events json)
    returns text language plpgsql volatile as $$
    begin
      insert into ${schema}.processed_events (consumer, event_id) values (in_consumer, in_event)
        on conflict on constraint processed_events_pkey do nothing;
      if not found then
        perform from ${schema}.processed_events p
          where p.consumer = in_consumer and p.event_id = in_event;
        ${refuseDropped('processed_events')}
        return 'duplicate';
      end if;
      perform ${schema}.append_events(in_events);
      return 'done';
    end $$`
}
