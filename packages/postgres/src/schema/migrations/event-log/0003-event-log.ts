import { eventLogCursors } from './0003-event-log-cursors.ts'
import { eventLogDeliveries } from './0003-event-log-deliveries.ts'
import { eventLogReading } from './0003-event-log-reading.ts'
import { eventLogRetention } from './0003-event-log-retention.ts'

/**
 * The tables that the consumers of the outbox need: their cursors, failed deliveries, and the
 * inbox.
 */
export function eventLog(schema: string): string[] {
  return [
    `create table ${schema}.consumers (
      name text collate "C" not null,
      seen_at timestamptz not null default now(),
      abandoned_at timestamptz,
      constraint consumers_pkey primary key (name)
    )`,

    // A cursor's position is everything that was visible in 'from_snapshot' and, if there is a
    // 'to_snapshot', what is visible in that up to number 'seq'. Events of transactions that began
    // after 'from_snapshot' have numbers above 'floor', so reading can start there. 'lease_until'
    // and 'epoch' fence; 'crashes', 'suspect' and 'starts' find events that kill processes.
    //
    // The rows are rewritten in place many times a second: hence half empty pages, no index but the
    // key, and an early vacuum.
    `create table ${schema}.cursors (
      consumer text collate "C" not null references ${schema}.consumers on delete cascade,
      slot smallint not null,
      from_snapshot pg_snapshot not null,
      to_snapshot pg_snapshot,
      floor bigint not null,
      seq bigint not null,
      relay text collate "C",
      lease_until timestamptz,
      epoch bigint not null default 0,
      crashes integer not null default 0,
      suspect text collate "C",
      starts integer not null default 0,
      constraint cursors_pkey primary key (consumer, slot)
    ) with (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`,

    // The relays that have asked for slots recently, among which the slots are shared.
    `create table ${schema}.relays (
      consumer text collate "C" not null references ${schema}.consumers on delete cascade,
      relay text collate "C" not null,
      until timestamptz not null,
      constraint relays_pkey primary key (consumer, relay)
    )`,

    // A delivery: an event that did not succeed at once for a consumer. It has a copy of the event,
    // because it outlives the log. 'starts' is greater than 'attempts' while an attempt is under
    // way, and stays so if the process dies. 'due_at' is infinity for a delivery that waits behind
    // another of its ordering key.
    `create table ${schema}.deliveries (
      id bigint generated always as identity,
      consumer text collate "C" not null,
      slot smallint not null,
      seq bigint not null,
      event_id text collate "C" not null,
      type text not null,
      source text not null,
      subject text,
      ordering_key text not null,
      data json not null,
      headers jsonb not null,
      occurred_at timestamptz not null,
      state text not null check (state in ('retrying', 'dead', 'resolved')),
      reason text,
      attempts integer not null,
      starts integer not null,
      redrives integer not null default 0,
      due_at timestamptz not null,
      first_failed_at timestamptz not null default clock_timestamp(),
      dead_at timestamptz,
      resolved_at timestamptz,
      resolution text,
      note text,
      error_name text,
      error_message text,
      error_code text,
      fingerprint text,
      constraint deliveries_pkey primary key (id),
      constraint deliveries_once unique (consumer, event_id)
    ) with (fillfactor = 80)`,
    `create index deliveries_due on ${schema}.deliveries (consumer, slot, due_at)
      where state = 'retrying'`,
    `create index deliveries_in_order on ${schema}.deliveries (consumer, slot, ordering_key, seq)
      where state = 'retrying'`,
    `create index deliveries_dead on ${schema}.deliveries (dead_at, id) where state = 'dead'`,
    `create index deliveries_resolved on ${schema}.deliveries (resolved_at) where state = 'resolved'`,
    `create index deliveries_ever_dead on ${schema}.deliveries (dead_at) where dead_at is not null`,

    `create table ${schema}.delivery_attempts (
      delivery bigint not null references ${schema}.deliveries on delete cascade,
      number integer not null,
      started_at timestamptz not null,
      duration_ms bigint not null,
      name text not null,
      message text not null,
      code text,
      stack text,
      fingerprint text not null,
      constraint delivery_attempts_pkey primary key (delivery, number)
    )`,

    // The inbox. Ids are text, because those of another queue may be anything. The second index
    // (BRIN) has a few pages for millions of rows, because rows are stored in the order of their
    // time.
    `create table ${schema}.processed_events (
      consumer text collate "C" not null,
      event_id text collate "C" not null,
      processed_at timestamptz not null default now(),
      constraint processed_events_pkey primary key (consumer, event_id)
    )`,
    `create index processed_events_time on ${schema}.processed_events using brin (processed_at)`,

    ...eventLogReading(schema),
    ...eventLogCursors(schema),
    ...eventLogDeliveries(schema),
    ...eventLogRetention(schema),
  ]
}
