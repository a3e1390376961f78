import { inBatch, RETENTION_AGO, type Statement } from '@oncekey/postgres/client'

/**
 * Ends the pending and dead deliveries of one deleted endpoint, or of all. It runs for all from
 * time to time, because an event may be fanned out at the very moment of a deletion. A delivery
 * under way is ended too, and its verdict then changes nothing. Locked rows are left for the next
 * call.
 */
export function endDeliveries(
  schema: string,
  endpointId: string | null,
  limit: number,
): Statement<{ count: string }> {
  return inBatch('end_deliveries', [endpointId, limit], {
    due: `select d.id from ${schema}.webhook_endpoints e
          join ${schema}.webhook_deliveries d on d.endpoint_id = e.id
          where e.status = 'deleted' and ($1::uuid is null or e.id = $1::uuid)
            and d.state in ('pending', 'dead')`,
    lock: 'd',
    taken: `update ${schema}.webhook_deliveries d
          set state = 'ended', reason = 'endpoint-deleted', ended_at = now(), leased_until = null,
            resolved_at = case when d.died_at is null then null else now() end
          from due where d.id = due.id
          returning 1`,
  })
}

/**
 * Ends deliveries that have waited too long for an endpoint that was disabled and stayed disabled.
 */
export function expireDeliveries(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return inBatch('expire_deliveries', [retentionMs, limit], {
    due: `select d.id from ${schema}.webhook_endpoints e
          join ${schema}.webhook_deliveries d on d.endpoint_id = e.id
          where e.status = 'disabled' and d.state = 'pending'
            and d.created_at <= ${RETENTION_AGO}
            and e.changed_at <= ${RETENTION_AGO}`,
    lock: 'd',
    taken: `update ${schema}.webhook_deliveries d
          set state = 'ended', reason = 'expired', ended_at = now(), leased_until = null
          from due where d.id = due.id
          returning 1`,
  })
}

/**
 * Deletes secrets that sign nothing any more: those that a rotation has replaced, after the
 * overlap, and those that a deletion of their endpoint left because its process died. The two are
 * found apart: a condition on both tables would join every secret with its endpoint.
 */
export function purgeSecrets(schema: string, limit: number): Statement<{ count: string }> {
  return inBatch('purge_secrets', [0, limit], {
    due: `select s.id from ${schema}.webhook_secrets s
          where s.id in (
            select x.id from ${schema}.webhook_secrets x where x.expires_at <= ${RETENTION_AGO}
            union all
            select x.id from ${schema}.webhook_endpoints e
              join ${schema}.webhook_secrets x on x.endpoint_id = e.id
              where e.status = 'deleted')`,
    lock: 's',
    taken: `delete from ${schema}.webhook_secrets s using due where s.id = due.id returning 1`,
  })
}

/** Deletes deliveries that ended long enough ago, with their attempts. */
export function purgeDeliveries(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return inBatch('purge_deliveries', [retentionMs, limit], {
    due: `select id from ${schema}.webhook_deliveries
          where state in ('delivered', 'discarded', 'ended')
            and ended_at <= ${RETENTION_AGO}
          order by ended_at`,
    taken: deleteWithHistory(schema),
  })
}

/** Deletes deliveries that died long enough ago and are still dead, with their attempts. */
export function purgeDeadLetters(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return inBatch('purge_dead_letters', [retentionMs, limit], {
    due: `select id from ${schema}.webhook_deliveries
          where state = 'dead' and died_at <= ${RETENTION_AGO}
          order by died_at`,
    taken: deleteWithHistory(schema),
  })
}

/**
 * Deletes messages that are old enough and have no delivery left, by
 * `schema/functions/purge-webhook-messages.ts`.
 */
export function purgeMessages(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string; chosen: string }> {
  return {
    name: 'purge_messages',
    text: `
      select deleted::text as count, chosen::text
        from ${schema}.purge_webhook_messages($1::bigint, $2::integer)`,
    values: [retentionMs, limit],
  }
}

/** Deletes endpoints that were deleted long enough ago and have no delivery left. */
export function purgeEndpoints(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return inBatch('purge_endpoints', [retentionMs, limit], {
    due: `select e.id from ${schema}.webhook_endpoints e
          where e.status = 'deleted'
            and e.changed_at <= ${RETENTION_AGO}
            and not exists (
              select from ${schema}.webhook_deliveries d where d.endpoint_id = e.id
            )`,
    taken: `delete from ${schema}.webhook_endpoints e using due where e.id = due.id returning 1`,
  })
}

/**
 * Deletes deliveries with their attempts. PostgreSQL runs a data-modifying CTE even if nothing
 * reads it, so the attempts are deleted too.
 */
function deleteWithHistory(schema: string): string {
  return `delete from ${schema}.webhook_deliveries d using due where d.id = due.id returning 1
      ), history as (
        delete from ${schema}.webhook_attempts a using due where a.delivery_id = due.id`
}
