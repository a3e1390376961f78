import { actTarget, type Retirement, type Subscription } from '@oncekey/core'
import { auditCall } from '../../operator/audit/audit-call.ts'
import type { Statement } from '../../sql/sql-client.ts'

/**
 * Gives a new consumer its cursors, and returns the server's life and time, and how many numbers of
 * events a session takes in advance. The commit is flushed to disk whatever `synchronous_commit` is
 * set to: if a crash lost it, the log would not know a consumer whose relay is running.
 */
export function subscribe(
  schema: string,
): (subscription: Subscription) => Statement<{ life: string; at_ms: string; in_advance: string }> {
  const text = `
    select set_config('synchronous_commit', case current_setting('synchronous_commit')
          when 'off' then 'on' else current_setting('synchronous_commit') end, true),
        ${schema}.subscribe_2($1::text, $2::boolean)::text, ${schema}.name_life() as life,
        floor(extract(epoch from clock_timestamp()) * 1000)::bigint::text as at_ms,
        (${numbersPerSession(schema)}) as in_advance
      where ${schema}.at_read_committed()`
  return ({ consumer, startAt }) => ({
    name: 'subscribe',
    text,
    values: [consumer, String(startAt === 'now')],
  })
}

/** How many numbers of events a session takes in advance. */
function numbersPerSession(schema: string): string {
  return `select s.seqcache::text from pg_sequence s
    where s.seqrelid = pg_get_serial_sequence('${schema}.outbox', 'seq')::regclass`
}

/** Returns a row with that number if it is above 1, which loses events. */
export function inAdvance(schema: string): Statement<{ in_advance: string }> {
  return {
    name: 'in_advance',
    text: `select found.seqcache as in_advance from (${numbersPerSession(schema)}) found
      where found.seqcache::bigint > 1`,
    values: [],
    cancellable: true,
  }
}

/** Reads the record of a consumer's releases, and the time; no row if the consumer is unknown. */
export function findSubscriptions(
  schema: string,
): (consumer: string) => Statement<{ record: string | null; now_ms: string }> {
  return (consumer) => ({
    name: 'find_subscriptions',
    text: `
      select subscriptions as record,
          (extract(epoch from clock_timestamp()) * 1000)::bigint::text as now_ms
        from ${schema}.consumers where name = $1::text`,
    values: [consumer],
    cancellable: true,
  })
}

/**
 * Replaces one record by another; returns no row if the record has changed since it was read. The
 * commit is flushed to disk whatever `synchronous_commit` is set to: if a crash lost it, a relay of
 * an older release would pass events of a type that only a newer one takes.
 */
export function setSubscriptions(
  schema: string,
): (change: {
  readonly consumer: string
  readonly before: string | null
  readonly after: string
  readonly wanted: string
}) => Statement<{ set: string }> {
  return (change) => ({
    name: 'set_subscriptions',
    text: `
      update ${schema}.consumers
        set subscriptions = $3::text, wanted = $4::text, seen_at = now(), abandoned_at = null
        where name = $1::text and subscriptions is not distinct from $2::text
          and ${schema}.at_read_committed()
        returning name as set, set_config('synchronous_commit',
          case current_setting('synchronous_commit')
            when 'off' then 'on' else current_setting('synchronous_commit') end, true)`,
    values: [change.consumer, change.before, change.after, change.wanted],
  })
}

/** Deletes a consumer and its cursors, and sets its open deliveries aside. */
export function retire(
  schema: string,
): (consumer: string, choice: Retirement) => Statement<{ count: string }> {
  const audit = auditCall(schema, {
    actor: '$4',
    note: '$3',
    act: 'consumers.retire',
    target: '$5::text',
    detail: `jsonb_build_object('remaining', $2::text, 'deliveries', done.count)`,
  })
  const text = `
    with known as materialized (
      select c.name from ${schema}.consumers c where c.name = $1::text for update
    ), done as materialized (
      select (select count(*) from known) as known,
        ${schema}.retire_2($1::text, $2::text, $3::text) as count
    )
    select done.count::text as count,
        case when done.known > 0 or done.count > 0 then ${audit} end::text as operation
      from done where ${schema}.at_read_committed()`
  return (consumer, { remaining, note, actor }) => ({
    name: 'retire',
    text,
    values: [consumer, remaining, note, actor, actTarget('consumer', consumer)],
  })
}

/** Returns a row if the audit trail says that this consumer was retired after this time. */
export function retiredSince(schema: string, consumer: string, sinceMs: number): Statement {
  return {
    name: 'retired_since',
    text: `select 1 from ${schema}.operations
      where hashtextextended(target, 0) = hashtextextended($1::text, 0) and target = $1::text
        and act = 'consumers.retire'
        and at > to_timestamp($2::bigint / 1000.0)
      limit 1`,
    values: [actTarget('consumer', consumer), String(sinceMs)],
    cancellable: true,
  }
}

/**
 * Finds consumers that no relay has run for this long and that still keep events from being
 * deleted.
 */
export function missingConsumers(
  schema: string,
): (missingMs: number) => Statement<{ name: string; seen_at: string }> {
  return (missingMs) => ({
    name: 'missing_consumers',
    text: `
      select name, (extract(epoch from seen_at) * 1000)::bigint::text as seen_at
        from ${schema}.consumers
        where abandoned_at is null and seen_at < now() - $1::bigint * interval '1 millisecond'
        order by name`,
    values: [missingMs],
    cancellable: true,
  })
}

/**
 * Marks consumers that have been missing for this long as abandoned, if they were found so twice,
 * `confirmMs` apart. They no longer keep events from being deleted. After the clock was put ahead,
 * or after everything was off, every consumer looks missing at first, although its relays are
 * running or about to start.
 */
export function abandonConsumers(
  schema: string,
): (abandonedMs: number, confirmMs: number) => Statement<{ name: string; is_abandoned: string }> {
  return (abandonedMs, confirmMs) => ({
    name: 'abandon_consumers',
    text: `
      update ${schema}.consumers
        set silent_at = case when silent_at between seen_at and now() then silent_at else now() end,
          abandoned_at = case when silent_at between seen_at
            and now() - $2::bigint * interval '1 millisecond' then now() end
        where abandoned_at is null and seen_at < now() - $1::bigint * interval '1 millisecond'
          and (silent_at between seen_at and now()
            and silent_at > now() - $2::bigint * interval '1 millisecond') is not true
        returning name, (abandoned_at is not null)::text as is_abandoned`,
    values: [abandonedMs, confirmMs],
  })
}
