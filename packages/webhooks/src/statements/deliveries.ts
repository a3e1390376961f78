import { auditCall, type Statement } from '@oncekey/postgres/client'
import type { EndpointAct } from './endpoint-act.ts'

/** Builds the JSON of a delivery; `d` is the delivery, `m` its message. */
export const deliveryJson: string = `json_build_object('id', d.id::text, 'eventId', d.message_id,
    'type', m.type, 'endpointId', d.endpoint_id, 'state', d.state, 'reason', d.reason,
    'error', d.error, 'attempts', d.attempts, 'redrives', d.redrives,
    'dueAt', case when d.state = 'pending' then d.due_at end,
    'isUnderWay', d.state = 'pending' and coalesce(d.leased_until > now(), false),
    'createdAt', d.created_at, 'endedAt', d.ended_at)::text as delivery`

export interface DeliveryRow {
  /** {@link DeliveryJson}. */
  readonly delivery: string
}

export interface DeliveryJson {
  readonly id: string
  readonly eventId: string
  readonly type: string
  readonly endpointId: string
  readonly state: 'pending' | 'delivered' | 'dead' | 'discarded' | 'ended'
  readonly reason: string | null
  readonly error: string | null
  readonly attempts: number
  readonly redrives: number
  readonly dueAt: string | null
  readonly isUnderWay: boolean
  readonly createdAt: string
  readonly endedAt: string | null
}

/** Lists deliveries, the newest first. */
export function listDeliveries(
  schema: string,
  filter: {
    readonly endpointId: string | null
    readonly eventId: string | null
    readonly state: string | null
    readonly customer: string | null
    readonly before: string | null
    readonly limit: number
  },
): Statement<DeliveryRow> {
  const { endpointId, eventId, state, customer, before, limit } = filter
  return {
    name: customer === null ? 'list_deliveries' : 'list_deliveries_of_customer',
    text: `
      select ${deliveryJson}
        from ${customer === null ? newest(schema) : newestOf(schema)}
        join ${schema}.webhook_messages m on m.id = d.message_id
        order by d.id desc
        limit $5::integer`,
    values: [endpointId, eventId, state, before, limit, ...(customer === null ? [] : [customer])],
    cancellable: true,
  }
}

function newest(schema: string): string {
  return `(
          select d.* from ${schema}.webhook_deliveries d
            where ($1::uuid is null or d.endpoint_id = $1::uuid)
              and ($4::bigint is null or d.id < $4::bigint) and ${isMeant}
            order by d.id desc
            limit $5::integer
        ) d`
}

/**
 * The newest of each of the customer's endpoints. Going through the newest of all customers would
 * read those of everybody for a customer who has few. So the bounds are those of the index of one
 * endpoint: for `endpoint_id = e.id` the planner may take the index of all.
 */
function newestOf(schema: string): string {
  return `(
          select d.* from ${schema}.webhook_endpoints e
            cross join lateral (
              select d.* from ${schema}.webhook_deliveries d
                where (d.endpoint_id, d.id) > (e.id, 0)
                  and (d.endpoint_id, d.id) < (e.id, coalesce($4::bigint, 9223372036854775807))
                  and ${isMeant}
                order by d.endpoint_id desc, d.id desc
                limit $5::integer
            ) d
            where e.customer = $6::text and ($1::uuid is null or e.id = $1::uuid)
            order by d.id desc
            limit $5::integer
        ) d`
}

const isMeant = `($2::uuid is null or d.message_id = $2::uuid)
              and ($3::text is null or d.state = $3::text)`

/** Reads a delivery with its body and the last hundred attempts that have ended, in their order. */
export function findDelivery(
  schema: string,
  id: string,
): Statement<{ delivery: string; body: string; attempts: string | null }> {
  return {
    name: 'find_delivery',
    text: `
      select ${deliveryJson}, convert_from(m.body, 'UTF8') as body, (
          select json_agg(json_build_object('number', a.number, 'startedAt', a.started_at,
              'durationMs', a.duration_ms, 'status', a.status, 'error', a.error,
              'message', a.message, 'body', encode(a.body, 'base64'),
              'isTruncated', a.truncated) order by a.number)::text
            from (
              select * from ${schema}.webhook_attempts l where l.delivery_id = d.id
                order by l.number desc limit 100
            ) a
        ) as attempts
        from ${schema}.webhook_deliveries d
        join ${schema}.webhook_messages m on m.id = d.message_id
        where d.id = $1::bigint`,
    values: [id],
    cancellable: true,
  }
}

/** One element of the JSON list in `attempts`. */
export interface AttemptJson {
  readonly number: number
  readonly startedAt: string
  readonly durationMs: number
  readonly status: number | null
  readonly error: string | null
  readonly message: string | null
  /** The beginning of the answer's body, in base64. */
  readonly body: string | null
  readonly isTruncated: boolean
}

/** Reads the states of deliveries. Unknown ids have no row. */
export function deliveryStates(
  schema: string,
  ids: readonly string[],
): Statement<{ id: string; state: string }> {
  return {
    name: 'delivery_states',
    text: `
      select d.id::text, d.state from ${schema}.webhook_deliveries d
        where d.id = any(array(select json_array_elements_text($1::json)::bigint))`,
    values: [JSON.stringify(ids)],
  }
}

/**
 * Schedules a delivery for now and begins its retry schedule anew. It is the same row, so this
 * replaces the try that was scheduled, and it goes ahead of everything else that waits for the
 * endpoint. A cooldown of the endpoint's breaker ends. A delivery under way is left alone. One
 * whose lease is over is taken from its worker: a claim that came to no outcome counts as an
 * attempt, so that no number is given twice, and without a lease its verdict changes nothing. If
 * the endpoint is paused or disabled, the delivery is `held` until that changes; if it was deleted,
 * nothing would ever claim the delivery, which is left as it is. The endpoint is read without
 * a lock: two retries that shared one would deadlock where both end the cooldown. So a deletion at
 * the same moment may go unseen. The deletion or the next purge then ends the delivery, as it ends
 * every pending one of a deleted endpoint.
 */
export function retryDelivery(
  schema: string,
  id: string,
  by: EndpointAct,
): Statement<{ outcome: string }> {
  const audit = auditCall(schema, {
    actor: '$2',
    note: '$3',
    act: 'deliveries.retry',
    target: `'["delivery","' || r.id || '"]'`,
    detail: `jsonb_build_object('was', b.state, 'endpoint', b.endpoint_id)`,
  })
  return {
    name: 'retry_delivery',
    text: `
      with before as materialized (
        select d.id, d.state, d.endpoint_id, e.status,
            coalesce(d.leased_until > now(), false) as leased,
            d.state in ('pending', 'dead', 'delivered') and e.status <> 'deleted' as may_be_sent
          from ${schema}.webhook_deliveries d
          join ${schema}.webhook_endpoints e on e.id = d.endpoint_id
          where d.id = $1::bigint
          for no key update of d
      ), retried as (
        update ${schema}.webhook_deliveries d
          set state = 'pending', tries = 0,
            due_at = least(now(), (
              select min(o.due_at) - interval '1 millisecond' from ${schema}.webhook_deliveries o
                where o.endpoint_id = b.endpoint_id and o.state = 'pending' and o.id <> b.id)),
            attempts = d.attempts + d.unfinished, unfinished = 0, leased_until = null, reason = null,
            ended_at = null, redrives = d.redrives + case b.state when 'dead' then 1 else 0 end,
            resolved_at = case b.state when 'dead' then now() else d.resolved_at end
          from before b
          where d.id = b.id and not (b.state = 'pending' and b.leased) and b.may_be_sent
          returning d.id
      ), unblocked as (
        update ${schema}.webhook_endpoints e set blocked_until = null
          from before b, retried r
          where e.id = b.endpoint_id and e.status = 'enabled' and e.blocked_until > now()
      )
      select case when not b.may_be_sent then 'ended'
          when b.state = 'pending' and b.leased then 'under-way'
          when b.status <> 'enabled' then 'held'
          else 'scheduled' end as outcome,
          case when r.id is not null then ${audit} end::text as operation
        from before b left join retried r on r.id = b.id
        where ${schema}.webhook_written('webhook_deliveries', r.id is not null
          or b.state = 'pending' and b.leased or not b.may_be_sent)`,
    values: [id, by.actor, by.note],
  }
}
