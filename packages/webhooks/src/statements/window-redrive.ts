import type { RedriveKind, SqlValue } from '@oncekey/postgres/client'

/** Selects a replay: all events of a period that one endpoint wants. */
export interface WindowFilter {
  readonly endpointId: string
  readonly since: Date
  readonly until?: Date
}

/**
 * How a redrive on record replays a period to one endpoint: sends each message of that time, of the
 * endpoint's customer and types, once more, whether it was delivered, was given up or was never
 * sent to it. Deliveries that are pending stay as they are. So do those that somebody discarded,
 * and those that were replaced by a message with other data, which is in the period itself.
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
    isMeant: `(e.status <> 'deleted' and e.customer is not distinct from m.customer
              and e.types && ${patternsOf('m.type')})`,
    values: (filter): readonly SqlValue[] => {
      const { endpointId, since, until } = filter as WindowFilter
      return [endpointId, since.toISOString(), until?.toISOString() ?? null]
    },
    put: `made as (
        insert into ${schema}.webhook_deliveries as d (message_id, endpoint_id, redrives)
          select k.id, $1::uuid, 1 from picked k order by k.at, k.id
          on conflict on constraint webhook_deliveries_once do update
            set state = 'pending', due_at = now(), tries = 0, unfinished = 0, reason = null,
              ended_at = null, redrives = d.redrives + 1,
              resolved_at = case d.state when 'dead' then now() else d.resolved_at end
            where d.state not in ('pending', 'discarded')
          returning d.message_id
      ), put as materialized (
        select k.id, case when made.message_id is not null then 'redriven'
            when d.state = 'discarded' then 'already-discarded' else 'retrying' end as outcome
          from picked k left join made on made.message_id = k.id
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
