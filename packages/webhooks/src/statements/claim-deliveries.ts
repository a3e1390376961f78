import type { Statement } from '@oncekey/postgres/client'

export interface ClaimQuestion {
  /** How many at most. */
  readonly limit: number
  /** How many this worker may have under way to one endpoint. */
  readonly perEndpoint: number
  /** How many it has under way already. */
  readonly underWay: ReadonlyMap<string, number>
  readonly leaseMs: number
  /** Failures in a row after which an endpoint is sent one delivery at a time, between pauses. */
  readonly breakerFailures: number
  /** Claims in a row without an outcome after which a delivery is taken for what kills the workers. */
  readonly mostUnfinished: number
}

/**
 * Takes deliveries that are due, from as many endpoints as there are, and gives back what to send.
 *
 * `waiting` hops along the index from endpoint to endpoint, so its cost is the number of endpoints
 * that wait, not of what waits for them: one with a hundred thousand deliveries is one hop. Their
 * order is drawn by lot, so that no endpoint is always last. The rows are locked in a materialized
 * CTE: as a plain subquery it could be run again and take more than its limit.
 */
export function claimDeliveries(
  schema: string,
  question: ClaimQuestion,
): Statement<{ delivery: string }> {
  const { limit, perEndpoint, underWay, leaseMs, breakerFailures, mostUnfinished } = question
  return {
    name: 'claim_deliveries',
    text: `
      with recursive waiting (endpoint_id) as (
        (select endpoint_id from ${schema}.webhook_deliveries where state = 'pending'
          order by endpoint_id limit 1)
        union all
        select (
          select d.endpoint_id from ${schema}.webhook_deliveries d
            where d.state = 'pending' and d.endpoint_id > w.endpoint_id
            order by d.endpoint_id limit 1
        ) from waiting w where w.endpoint_id is not null
      ), ready as materialized (
        select e.id, e.failures >= $5::integer as probed,
            case when e.failures >= $5::integer then 1
              else $2::integer - coalesce(u.running, 0) end as room
          from waiting w
          join ${schema}.webhook_endpoints e on e.id = w.endpoint_id
          left join json_to_recordset($3::json) as u (id uuid, running integer) on u.id = e.id
          where e.status = 'enabled' and (e.blocked_until is null or e.blocked_until <= now())
          order by random()
      ), picked as materialized (
        select due.id, due.unfinished >= $6::integer as poison, r.id as endpoint_id, r.probed
          from ready r cross join lateral (
            select d.id, d.unfinished from ${schema}.webhook_deliveries d
              where d.endpoint_id = r.id and d.state = 'pending' and d.due_at <= now()
                and (d.leased_until is null or d.leased_until <= now())
              order by d.due_at, d.id
              limit greatest(r.room, 0)
              for update of d skip locked
          ) due
          limit $1::integer
      ), poisoned as (
        update ${schema}.webhook_deliveries d
          set state = 'dead', reason = 'poison', error = 'poison', leased_until = null,
            ended_at = now(), died_at = now()
          from picked p where p.poison and d.id = p.id
      ), probed as (
        update ${schema}.webhook_endpoints e
          set blocked_until = now() + $4::bigint * interval '1 millisecond'
          from (
            select id from ${schema}.webhook_endpoints
              where id in (select endpoint_id from picked where probed)
              order by id for no key update
          ) o
          where e.id = o.id
      ), claimed as (
        update ${schema}.webhook_deliveries d
          set epoch = d.epoch + 1, unfinished = d.unfinished + 1,
            leased_until = now() + $4::bigint * interval '1 millisecond'
          from picked p where not p.poison and d.id = p.id
          returning d.id, d.epoch, d.message_id, d.endpoint_id, d.attempts, d.unfinished, d.tries
      )
      select json_build_object('id', c.id::text, 'epoch', c.epoch,
          'number', c.attempts + c.unfinished, 'tries', c.tries, 'endpointId', c.endpoint_id,
          'url', e.url, 'messageId', c.message_id, 'body', encode(m.body, 'base64'),
          'secrets', (
            select json_agg(json_build_object('secret', s.secret, 'seal', s.seal) order by s.id desc)
              from ${schema}.webhook_secrets s
              where s.endpoint_id = c.endpoint_id
                and (s.expires_at is null or s.expires_at > now())
          ))::text as delivery
        from claimed c
        join ${schema}.webhook_endpoints e on e.id = c.endpoint_id
        join ${schema}.webhook_messages m on m.id = c.message_id`,
    values: [
      limit,
      perEndpoint,
      JSON.stringify([...underWay].map(([id, running]) => ({ id, running }))),
      leaseMs,
      breakerFailures,
      mostUnfinished,
    ],
  }
}

/** What `delivery` is, in JSON. */
export interface ClaimedDelivery {
  readonly id: string
  readonly epoch: number
  /** Of this attempt, lost ones included; the first is 1. */
  readonly number: number
  /** Outcomes before this attempt. */
  readonly tries: number
  readonly endpointId: string
  readonly url: string
  readonly messageId: string
  /** In base64. */
  readonly body: string
  /** In force, the newest first. */
  readonly secrets: readonly StoredSecret[] | null
}

/** A secret as it is kept; `seal` names the key it is sealed with. */
export interface StoredSecret {
  readonly secret: string
  readonly seal: string | null
}
