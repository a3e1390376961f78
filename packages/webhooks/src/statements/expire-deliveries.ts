import type { Statement } from '@oncekey/postgres/client'

/** Ends what has been waiting for an endpoint that was disabled, and stayed so, for too long. */
export function expireDeliveries(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'expire_deliveries',
    text: `
      with due as materialized (
        select d.id from ${schema}.webhook_endpoints e
          join ${schema}.webhook_deliveries d on d.endpoint_id = e.id
          where e.status = 'disabled' and d.state = 'pending'
            and d.created_at <= now() - $1::bigint * interval '1 millisecond'
            and e.changed_at <= now() - $1::bigint * interval '1 millisecond'
          limit $2::integer
          for update of d skip locked
      ), ended as (
        update ${schema}.webhook_deliveries d
          set state = 'ended', reason = 'expired', ended_at = now(), leased_until = null
          from due where d.id = due.id
          returning 1
      )
      select count(*)::text as count from ended`,
    values: [retentionMs, limit],
  }
}
