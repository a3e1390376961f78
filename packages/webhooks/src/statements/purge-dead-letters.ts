import type { Statement } from '@oncekey/postgres/client'

/** Takes away deliveries that died long enough ago and that nobody did anything about. */
export function purgeDeadLetters(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_dead_letters',
    text: `
      with due as materialized (
        select id from ${schema}.webhook_deliveries
          where state = 'dead' and died_at <= now() - $1::bigint * interval '1 millisecond'
          order by died_at
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
