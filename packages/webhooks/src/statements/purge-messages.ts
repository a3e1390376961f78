import type { Statement } from '@oncekey/postgres/client'

/** Takes away messages that are old enough and that no delivery needs any more. */
export function purgeMessages(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_messages',
    text: `
      with due as materialized (
        select m.id from ${schema}.webhook_messages m
          where m.created_at <= now() - $1::bigint * interval '1 millisecond'
            and not exists (
              select from ${schema}.webhook_deliveries d where d.message_id = m.id
            )
          order by m.created_at
          limit $2::integer
          for update skip locked
      ), purged as (
        delete from ${schema}.webhook_messages m using due where m.id = due.id returning 1
      )
      select count(*)::text as count from purged`,
    values: [retentionMs, limit],
  }
}
