import type { RedriveKind, SqlValue } from '@oncekey/postgres/client'

/** Selects a replay: all events of a period that one endpoint wants. */
export interface WindowFilter {
  readonly endpointId: string
  readonly since: Date
  readonly until?: Date
}

/**
 * How a redrive on record replays a window to one endpoint: each message of that time, of its
 * customer and its types, once more, whether it was delivered, gave up or was never sent there.
 * What is pending already is left as it is; so is what somebody discarded, or has replaced by a
 * message with other data, which is in the window itself. Such a message is for one endpoint only.
 * All that is known from the message, because its deliveries are purged before it. Which further
 * customers an event concerns was noted there by no earlier release, so it counts as well that
 * there is a delivery for them.
 */
export function redriveOfWindow(schema: string): RedriveKind {
  return {
    source: 'webhooks',
    kind: 'window',
    table: `${schema}.webhook_messages m`,
    id: 'm.id',
    idType: 'uuid',
    lowestId: '00000000-0000-0000-0000-000000000000',
    at: 'm.created_at',
    isCandidate: () =>
      `m.created_at >= $2::timestamptz
            and ($3::timestamptz is null or m.created_at < $3::timestamptz)`,
    join: `left join ${schema}.webhook_endpoints e on e.id = $1::uuid`,
    isMeant: `(e.status <> 'deleted' and e.types && ${patternsOf('m.type')}
              and (m.only_for is null or m.only_for = $1::uuid)
              and (e.customer is not distinct from m.customer
                or array_position(m.other_customers, e.customer) is not null
                or exists (select from ${schema}.webhook_deliveries o
                  where o.message_id = m.id and o.endpoint_id = $1::uuid)))`,
    values: (filter): readonly SqlValue[] => {
      const { endpointId, since, until } = filter as WindowFilter
      return [endpointId, since.toISOString(), until?.toISOString() ?? null]
    },
    // The lock keeps a message from being purged before it has its delivery. Deliveries that are
    // there are locked in order of their ids, as by everybody who waits for several of them.
    put: `kept as materialized (
        select m.id, k.at, coalesce($1::uuid = any(m.withheld_from), false) as is_withheld
          from picked k join ${schema}.webhook_messages m on m.id = k.id
          order by m.id
          for key share of m
      ), there as materialized (
        select d.id from ${schema}.webhook_deliveries d
          where d.endpoint_id = $1::uuid and d.state not in ('pending', 'discarded')
            and d.message_id = any(array(select k.id from kept k where not k.is_withheld))
          order by d.id
          for no key update of d
      ), made as (
        insert into ${schema}.webhook_deliveries as d (message_id, endpoint_id, redrives)
          select k.id, $1::uuid, 1 from kept k
            where not k.is_withheld and (select count(*) from there) >= 0
            order by k.at, k.id
          on conflict on constraint webhook_deliveries_once do update
            set state = 'pending', due_at = now(), tries = 0,
              attempts = d.attempts + d.unfinished, unfinished = 0, reason = null, ended_at = null, redrives = d.redrives + 1,
              resolved_at = case d.state when 'dead' then now() else d.resolved_at end
            where d.state not in ('pending', 'discarded')
          returning d.message_id
      ), put as materialized (
        select k.id, case when made.message_id is not null then 'redriven'
            when k.is_withheld or d.state = 'discarded' then 'already-discarded'
            else 'retrying' end as outcome
          from kept k left join made on made.message_id = k.id
            left join ${schema}.webhook_deliveries d
              on d.message_id = k.id and d.endpoint_id = $1::uuid
      )`,
  }
}

/**
 * Every pattern that covers a type: `order.created`, `order.*`, `*`. It is the SQL form of core's
 * `patternsOf`.
 */
function patternsOf(type: string): string {
  return `(array['*', ${type}] || array(
              select string_agg(p.part, '.' order by p.n) || '.*'
                from generate_series(1, cardinality(string_to_array(${type}, '.')) - 1) upto,
                  unnest(string_to_array(${type}, '.')) with ordinality as p (part, n)
                where p.n <= upto group by upto))`
}
