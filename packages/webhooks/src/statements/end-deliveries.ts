import type { Statement } from '@oncekey/postgres/client'

/**
 * Ends what still waits for, or died of, endpoints that were deleted: of one, or of all, since an event
 * may be fanned out at the very moment. One under way is ended too: its outcome finds it gone. Rows that
 * somebody is just writing are left for the next time.
 */
export function endDeliveries(
  schema: string,
  endpointId: string | null,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'end_deliveries',
    text: `
      with due as materialized (
        select d.id from ${schema}.webhook_endpoints e
          join ${schema}.webhook_deliveries d on d.endpoint_id = e.id
          where e.status = 'deleted' and ($1::uuid is null or e.id = $1::uuid)
            and d.state in ('pending', 'dead')
          limit $2::integer
          for update of d skip locked
      ), ended as (
        update ${schema}.webhook_deliveries d
          set state = 'ended', reason = 'endpoint-deleted', ended_at = now(), leased_until = null,
            resolved_at = case when d.died_at is null then null else now() end
          from due where d.id = due.id
          returning 1
      )
      select count(*)::text as count from ended`,
    values: [endpointId, limit],
  }
}
