import type { Statement } from '../../sql/sql-client.ts'

export interface EventRow {
  readonly seq: string
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly ordering_key: string
  readonly data: string
  readonly headers: string
  /** Milliseconds since 1970. */
  readonly occurred_at: string
}

const columns = `o.seq::text, o.id::text, o.type, o.source, o.subject, o.ordering_key, o.data::text,
          o.headers::text, (extract(epoch from o.occurred_at) * 1000)::bigint::text as occurred_at`

/** Lists events, the newest first, from below the number `before`. */
export function newestEvents(
  schema: string,
): (asked: { readonly before: string | null; readonly limit: number }) => Statement<EventRow> {
  return (asked) => ({
    name: 'newest_events',
    text: `
      select ${columns} from ${schema}.outbox o
        where $1::bigint is null or o.seq < $1::bigint
        order by o.seq desc limit $2::integer`,
    values: [asked.before, asked.limit],
    cancellable: true,
  })
}

/** The first event from a number on, reduced to what tells its time. */
export function eventFrom(
  schema: string,
): (seq: string) => Statement<{ readonly seq: string; readonly occurred_at: string }> {
  return (seq) => ({
    name: 'event_from',
    text: `
      select o.seq::text, (extract(epoch from o.occurred_at) * 1000)::bigint::text as occurred_at
        from ${schema}.outbox o where o.seq >= $1::bigint order by o.seq limit 1`,
    values: [seq],
    cancellable: true,
  })
}

export function lastEvent(schema: string): Statement<{ readonly seq: string | null }> {
  return {
    name: 'last_event',
    text: `select max(o.seq)::text as seq from ${schema}.outbox o`,
    values: [],
    cancellable: true,
  }
}

/**
 * Finds an event by its id among those with numbers from `from` to `to`, because no index covers
 * ids.
 */
export function eventWithin(
  schema: string,
): (asked: {
  readonly id: string
  readonly from: string
  readonly to: string
}) => Statement<EventRow> {
  return (asked) => ({
    name: 'event_within',
    text: `
      select ${columns} from (
          select * from ${schema}.outbox o where o.seq between $2::bigint and $3::bigint
            order by o.seq limit 1000000
        ) o where o.id = $1::uuid limit 1`,
    values: [asked.id, asked.from, asked.to],
    cancellable: true,
  })
}

/**
 * What has become of one event in each consumer: whether the consumer's cursor has passed it, and,
 * if it did not succeed at once, the delivery on file.
 */
export function deliveriesOfEvent(
  schema: string,
): (event: { readonly seq: string; readonly id: string }) => Statement<EventDeliveryRow> {
  return ({ seq, id }) => ({
    name: 'deliveries_of_event',
    text: `
      select c.name as consumer, c.wanted, d.id::text as delivery, d.state, d.attempts::text,
          d.error_name, d.error_message,
          ${schema}.is_ahead(o.xid, o.seq, u)::text as is_ahead
        from (select * from ${schema}.outbox o
            where o.seq = $1::bigint and o.id = $2::uuid limit 1) o
        join ${schema}.cursors u on u.slot = o.slot
        join ${schema}.consumers c on c.name = u.consumer
        left join ${schema}.deliveries d
          on d.consumer = c.name and d.event_id = $2::text and d.generation = 0
        order by c.name limit 1000`,
    values: [seq, id],
    cancellable: true,
  })
}

export interface EventDeliveryRow {
  readonly consumer: string
  readonly wanted: string | null
  readonly delivery: string | null
  readonly state: 'retrying' | 'dead' | 'resolved' | null
  readonly attempts: string | null
  readonly error_name: string | null
  readonly error_message: string | null
  readonly is_ahead: 'true' | 'false'
}

/**
 * The present snapshot, and the highest number visible in it: where `since` begins. The snapshot
 * also names what is beyond PostgreSQL's own snapshot: a transaction that was writing, and whose id
 * is above the last that had completed. Its events may have numbers below the highest.
 */
export function presentPlace(
  schema: string,
): Statement<{ readonly from: string; readonly seq: string }> {
  return {
    name: 'present_place',
    text: `
      select ${schema}.present_snapshot_2()::text as "from",
        coalesce((select max(o.seq) from ${schema}.outbox o), 0)::text as seq`,
    values: [],
  }
}

/**
 * Uses up one transaction id. After it, PostgreSQL's own snapshot reaches up to that id, and names
 * what is in progress below it.
 */
export function useUpId(): Statement {
  return { name: 'use_up_id', text: 'select pg_current_xact_id()::text', values: [] }
}

/**
 * Events that are visible in the snapshot `to` and are not visible in the snapshot `from`; if `to`
 * is null, the present snapshot is used. These are the events of transactions that were open at
 * `from`, and all events above `seq`, the highest number visible in `from`. They are sorted by
 * number, from behind `after`. The last row has no id, and its `data` is the snapshot `to`.
 */
export function eventsSince(
  schema: string,
): (asked: {
  readonly from: string
  readonly to: string | null
  readonly seq: string
  readonly after: string
  readonly limit: number
}) => Statement<EventRow> {
  return (asked) => {
    const meant = `not pg_visible_in_snapshot(o.xid, $1::pg_snapshot)
            and pg_visible_in_snapshot(o.xid, (select snapshot from present))`
    return {
      name: 'events_since',
      text: `
      with present as materialized (
        select coalesce($2::pg_snapshot, ${schema}.present_snapshot_2()) as snapshot
      )
      select e.* from (
        (select ${columns} from ${schema}.outbox o
          where o.xid = any (array(select pg_snapshot_xip($1::pg_snapshot)))
            and o.seq <= $3::bigint and o.seq > $4::bigint and ${meant}
          order by o.seq limit $5::integer)
        union all
        (select ${columns} from ${schema}.outbox o
          where o.seq > greatest($3::bigint, $4::bigint) and ${meant}
          order by o.seq limit $5::integer)
      ) e
      union all
      select null, null, null, null, null, null, present.snapshot::text, null, null from present`,
      values: [asked.from, asked.to, asked.seq, asked.after, asked.limit],
      cancellable: true,
    }
  }
}
