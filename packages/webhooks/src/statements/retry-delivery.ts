import type { Statement } from '@oncekey/postgres/client'

/**
 * Has a delivery tried now, with a schedule that begins anew. It is the same row, so this takes the
 * place of the try that was scheduled. One that is under way is left to end.
 */
export function retryDelivery(schema: string, id: string): Statement<{ outcome: string }> {
  return {
    name: 'retry_delivery',
    text: `
      with before as materialized (
        select d.id, d.state, coalesce(d.leased_until > now(), false) as leased
          from ${schema}.webhook_deliveries d
          where d.id = $1::bigint
          for no key update
      ), retried as (
        update ${schema}.webhook_deliveries d
          set state = 'pending', due_at = now(), tries = 0, unfinished = 0, reason = null,
            ended_at = null,
            redrives = d.redrives + case b.state when 'dead' then 1 else 0 end,
            resolved_at = case b.state when 'dead' then now() else d.resolved_at end
          from before b
          where d.id = b.id and not (b.state = 'pending' and b.leased)
            and b.state in ('pending', 'dead', 'delivered')
          returning d.id
      )
      select case when b.state = 'pending' and b.leased then 'under-way'
          when b.state in ('pending', 'dead', 'delivered') then 'scheduled'
          else 'ended' end as outcome
        from before b`,
    values: [id],
  }
}
