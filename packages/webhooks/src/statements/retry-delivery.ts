import type { Statement } from '@oncekey/postgres/client'

/**
 * Has a delivery tried now, with a schedule that begins anew. It is the same row, so this takes the
 * place of the try that was scheduled, and goes before all else that waits for its endpoint. A pause
 * of the endpoint's breaker ends. One that is under way is left to end; of an endpoint that is paused
 * or disabled it is `held` until that changes.
 */
export function retryDelivery(schema: string, id: string): Statement<{ outcome: string }> {
  return {
    name: 'retry_delivery',
    text: `
      with before as materialized (
        select d.id, d.state, d.endpoint_id, e.status,
            coalesce(d.leased_until > now(), false) as leased
          from ${schema}.webhook_deliveries d
          join ${schema}.webhook_endpoints e on e.id = d.endpoint_id
          where d.id = $1::bigint
          for no key update of d
      ), retried as (
        update ${schema}.webhook_deliveries d
          set state = 'pending', tries = 0,
            due_at = least(now(), (
              select min(o.due_at) - interval '1 millisecond' from ${schema}.webhook_deliveries o
                where o.endpoint_id = b.endpoint_id and o.state = 'pending' and o.id <> b.id)), unfinished = 0, reason = null,
            ended_at = null,
            redrives = d.redrives + case b.state when 'dead' then 1 else 0 end,
            resolved_at = case b.state when 'dead' then now() else d.resolved_at end
          from before b
          where d.id = b.id and not (b.state = 'pending' and b.leased)
            and b.state in ('pending', 'dead', 'delivered')
          returning d.id
      ), unblocked as (
        update ${schema}.webhook_endpoints e set blocked_until = null
          from before b, retried r
          where e.id = b.endpoint_id and e.status = 'enabled' and e.blocked_until > now()
      )
      select case when b.state = 'pending' and b.leased then 'under-way'
          when b.state in ('pending', 'dead', 'delivered') and b.status <> 'enabled' then 'held'
          when b.state in ('pending', 'dead', 'delivered') then 'scheduled'
          else 'ended' end as outcome
        from before b`,
    values: [id],
  }
}
