import type { Statement } from '@oncekey/postgres/client'

/** Takes away deliveries that ended long enough ago, and their attempts. */
export function purgeDeliveries(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_deliveries',
    text: `
      with due as materialized (
        select id from ${schema}.webhook_deliveries
          where state in ('delivered', 'discarded', 'ended')
            and ended_at <= now() - $1::bigint * interval '1 millisecond'
          order by ended_at
          limit $2::integer
          for update skip locked
      ), history as (
        delete from ${schema}.webhook_attempts a using due where a.delivery_id = due.id
      ), purged as (
        delete from ${schema}.webhook_deliveries d using due where d.id = due.id returning 1
      )
      select count(*)::text as count from purged`,
    values: [retentionMs, limit],
  }
}
