import { claimAndSettle } from '../superseded/claim-and-settle-1.ts'

/**
 * Endpoints with their secrets, messages, deliveries and attempts.
 *
 * Deliveries have no foreign keys: checking one would lock the endpoint's row for each event that
 * is sent to it. If many transactions lock a row while others update it, each of them costs a
 * multixact. A deleted endpoint keeps its row until `purge` has removed the last of its deliveries.
 */
export function endpointsAndDeliveries(schema: string): string[] {
  return [
    `create table ${schema}.webhook_endpoints (
      id uuid primary key,
      customer text collate "C",
      url text not null,
      types text[] not null,
      description text not null,
      status text not null default 'enabled'
        check (status in ('enabled', 'paused', 'disabled', 'deleted')),
      reason text,
      created_at timestamptz not null default now(),
      changed_at timestamptz not null default now(),
      failing_since timestamptz,
      warned smallint not null default 0,
      failures integer not null default 0,
      blocked_until timestamptz
    ) with (fillfactor = 80)`,
    `create index webhook_endpoints_customer on ${schema}.webhook_endpoints (customer, id)
      where status <> 'deleted'`,

    `create table ${schema}.webhook_secrets (
      id bigint generated always as identity primary key,
      endpoint_id uuid not null references ${schema}.webhook_endpoints on delete cascade,
      secret text not null,
      seal text,
      created_at timestamptz not null default now(),
      expires_at timestamptz
    )`,
    `create index webhook_secrets_endpoint on ${schema}.webhook_secrets (endpoint_id, id)`,

    // The body of an event, stored once, however many endpoints and attempts send it. The row also
    // marks the event as fanned out, so that a repeated or concurrent fan-out finds it.
    `create table ${schema}.webhook_messages (
      id uuid primary key,
      type text not null,
      source text not null,
      subject text,
      headers json not null,
      customer text collate "C",
      body bytea not null,
      occurred_at timestamptz not null,
      created_at timestamptz not null default now()
    )`,
    `create index webhook_messages_created on ${schema}.webhook_messages (created_at)`,

    // 'epoch' counts claims and fences them. 'attempts' counts the attempts that began. 'tries'
    // counts those that came to an outcome, since the delivery was made or redriven. 'unfinished'
    // counts claims since the last outcome.
    `create table ${schema}.webhook_deliveries (
      id bigint generated always as identity primary key,
      message_id uuid not null,
      endpoint_id uuid not null,
      state text not null default 'pending'
        check (state in ('pending', 'delivered', 'dead', 'discarded', 'ended')),
      reason text,
      error text,
      note text,
      due_at timestamptz not null default now(),
      leased_until timestamptz,
      epoch integer not null default 0,
      attempts integer not null default 0,
      tries integer not null default 0,
      unfinished integer not null default 0,
      redrives integer not null default 0,
      created_at timestamptz not null default now(),
      ended_at timestamptz,
      died_at timestamptz,
      resolved_at timestamptz,
      constraint webhook_deliveries_once unique (message_id, endpoint_id)
    ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500)`,

    // A claim changes none of these columns, so it does not write to the indexes (HOT) if the page
    // has room. So half of each page is left free, because deliveries that wait together are
    // claimed together. A claim reads past the few rows that are leased.
    `create index webhook_deliveries_due on ${schema}.webhook_deliveries (endpoint_id, due_at, id)
      where state = 'pending'`,
    `create index webhook_deliveries_dead on ${schema}.webhook_deliveries (died_at, id)
      where state = 'dead'`,
    `create index webhook_deliveries_resolved on ${schema}.webhook_deliveries (resolved_at)
      where resolved_at is not null`,
    `create index webhook_deliveries_ended on ${schema}.webhook_deliveries (ended_at)
      where state in ('delivered', 'discarded', 'ended')`,
    `create index webhook_deliveries_endpoint on ${schema}.webhook_deliveries (endpoint_id, id)`,

    `create table ${schema}.webhook_attempts (
      delivery_id bigint not null,
      number integer not null,
      started_at timestamptz not null,
      duration_ms integer not null,
      status integer,
      error text,
      message text,
      body bytea,
      truncated boolean not null,
      primary key (delivery_id, number)
    )`,

    ...claimAndSettle(schema),
  ]
}
