import type { Statement } from '@oncekey/postgres/client'

/** Takes away endpoints that were deleted and of which no delivery is left. */
export function purgeEndpoints(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_endpoints',
    text: `
      with due as materialized (
        select e.id from ${schema}.webhook_endpoints e
          where e.status = 'deleted'
            and e.changed_at <= now() - $1::bigint * interval '1 millisecond'
            and not exists (
              select from ${schema}.webhook_deliveries d where d.endpoint_id = e.id
            )
          limit $2::integer
          for update skip locked
      ), purged as (
        delete from ${schema}.webhook_endpoints e using due where e.id = due.id returning 1
      )
      select count(*)::text as count from purged`,
    values: [retentionMs, limit],
  }
}
