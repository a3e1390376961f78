import type { Statement } from '@oncekey/postgres/client'

/** How an attempt ended, as the database is told. */
export interface Settlement {
  readonly id: string
  readonly epoch: number
  readonly state: 'delivered' | 'retry' | 'dead'
  /** Why it is dead. */
  readonly reason: 'permanent' | 'exhausted' | null
  /** Whether the receiver said that nothing will ever be taken there again. */
  readonly gone: boolean
  /** How long until the next try; the database's clock adds it to its now. */
  readonly delayMs: number
  /** How long nothing is sent to the endpoint, because it asked for that. */
  readonly blockMs: number
  /** Whose failure it was: `ours` counts neither as a try nor against the endpoint. */
  readonly blame: 'none' | 'message' | 'endpoint' | 'ours'
  readonly status: number | null
  /** A short word that is the same for the same kind of failure. */
  readonly error: string | null
  readonly message: string | null
  readonly durationMs: number
  /** In base64. */
  readonly body: string | null
  readonly truncated: boolean
}

export interface EndpointPolicy {
  readonly breakerFailures: number
  readonly cooldownMs: number
  readonly maxCooldownMs: number
  readonly disableAfterMs: number
}

/**
 * Writes how attempts ended, in the order they did: history, delivery, and what it means for the
 * endpoint. Fenced by the epoch of the claim: who lost its lease changes nothing.
 *
 * Endpoints are only written when something changes for them, and are locked in the order of their
 * ids, after the deliveries: two workers never wait for one another. What comes back are those that
 * crossed a line, once each, because the line crossed before is read under that lock.
 */
export function settleDeliveries(
  schema: string,
  settlements: readonly Settlement[],
  policy: EndpointPolicy,
): Statement<{ crossed: string }> {
  return {
    name: 'settle_deliveries',
    text: `
      with outcomes as materialized (
        select * from rows from (json_to_recordset($1::json) as (
          id bigint, epoch integer, state text, reason text, gone boolean, "delayMs" bigint, "blockMs" bigint,
          blame text, status integer, error text, message text, "durationMs" integer, body text,
          truncated boolean
        )) with ordinality as o (id, epoch, state, reason, gone, delay_ms, block_ms, blame, status, error,
          message, duration_ms, body, truncated, position)
      ), settled as (
        update ${schema}.webhook_deliveries d
          set state = case o.state when 'retry' then 'pending' else o.state end,
            reason = o.reason,
            error = o.error,
            due_at = case o.state
              when 'retry' then now() + o.delay_ms * interval '1 millisecond' else d.due_at end,
            ended_at = case o.state when 'retry' then null else now() end,
            died_at = case o.state when 'dead' then now() else d.died_at end,
            leased_until = null,
            attempts = d.attempts + d.unfinished,
            tries = d.tries + case o.blame when 'ours' then 0 else 1 end,
            unfinished = 0
          from outcomes o
          where d.id = o.id and d.epoch = o.epoch and d.state = 'pending'
            and d.leased_until is not null
          returning d.id, d.endpoint_id, d.attempts as number, o.position
      ), history as (
        insert into ${schema}.webhook_attempts
            (delivery_id, number, started_at, duration_ms, status, error, message, body, truncated)
          select s.id, s.number, now() - o.duration_ms * interval '1 millisecond', o.duration_ms,
              o.status, o.error, o.message, decode(o.body, 'base64'), o.truncated
            from settled s join outcomes o on o.position = s.position
      ), tally as materialized (
        select s.endpoint_id,
            coalesce(max(s.position) filter (where o.blame = 'none'), 0) as success,
            coalesce(max(s.position) filter (where o.blame in ('message', 'endpoint')), 0) as failure,
            coalesce(max(o.block_ms), 0) as block_ms,
            bool_or(o.gone) as gone
          from settled s join outcomes o on o.position = s.position
          where o.blame <> 'ours'
          group by s.endpoint_id
      ), failed as (
        select t.endpoint_id, count(*) as failures
          from tally t join settled s on s.endpoint_id = t.endpoint_id and s.position > t.success
          join outcomes o on o.position = s.position and o.blame = 'endpoint'
          group by t.endpoint_id
      ), locked as materialized (
        select e.id, e.status, e.warned, e.failing_since, e.failures, e.blocked_until
          from ${schema}.webhook_endpoints e join tally t on t.endpoint_id = e.id
          where t.failure > 0 or t.block_ms > 0 or e.failing_since is not null or e.failures > 0
          order by e.id
          for no key update of e
      ), judged as (
        select l.id, l.status, l.warned, t.gone, t.block_ms, l.blocked_until,
            case when t.success > 0 then coalesce(f.failures, 0)
              else l.failures + coalesce(f.failures, 0) end as failures,
            case when t.failure < t.success then null
              when t.success > 0 or l.failing_since is null then now()
              else l.failing_since end as failing_since,
            t.success > 0 as succeeded,
            coalesce(f.failures, 0) > 0 as failed
          from locked l join tally t on t.endpoint_id = l.id
          left join failed f on f.endpoint_id = l.id
      ), weighed as (
        select j.*, case when j.failing_since is null then 0 else (
            select coalesce(max(line), 0) from unnest(array[50, 70, 90, 100]) line
              where extract(epoch from now() - j.failing_since) * 1000
                >= $5::bigint * (line / 100.0)
          ) end as line
          from judged j
      ), written as (
        update ${schema}.webhook_endpoints e
          set failures = w.failures,
            failing_since = w.failing_since,
            warned = case when w.succeeded then w.line else greatest(w.line, w.warned) end,
            blocked_until = greatest(
              case when w.failed and w.failures >= $2::integer then now() + least(
                  $4::bigint, $3::bigint * power(2, least(w.failures - $2::integer, 20))
                ) * interval '1 millisecond'
                when w.succeeded then null else w.blocked_until end,
              case when w.block_ms > 0 then now() + w.block_ms * interval '1 millisecond' end),
            status = case when e.status in ('enabled', 'paused') and (w.gone or w.line = 100)
              then 'disabled' else e.status end,
            reason = case when e.status in ('enabled', 'paused') and (w.gone or w.line = 100)
              then case when w.gone then 'gone' else 'failing' end else e.reason end,
            changed_at = case when e.status in ('enabled', 'paused') and (w.gone or w.line = 100)
              then now() else e.changed_at end
          from weighed w where e.id = w.id
          returning e.id, e.customer, e.url, e.status, e.reason, e.failing_since, w.line,
            e.status <> w.status as disabled,
            w.line > case when w.succeeded then 0 else w.warned end as warned
      )
      select json_build_object('id', id, 'customer', customer, 'url', url, 'disabled', disabled,
          'reason', reason, 'failingPercent', case when warned then line end,
          'failingSince', failing_since)::text as crossed
        from written where disabled or warned`,
    values: [
      JSON.stringify(settlements),
      policy.breakerFailures,
      policy.cooldownMs,
      policy.maxCooldownMs,
      policy.disableAfterMs,
    ],
  }
}

/** What `crossed` is, in JSON: an endpoint that was warned of or disabled. */
export interface CrossedEndpoint {
  readonly id: string
  readonly customer: string | null
  readonly url: string
  readonly disabled: boolean
  readonly reason: string | null
  /** Which share of the time until it is disabled has passed, where that is new. */
  readonly failingPercent: 50 | 70 | 90 | 100 | null
  readonly failingSince: string | null
}
