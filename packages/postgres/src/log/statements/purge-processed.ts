import type { Statement } from '../../sql-client.ts'

/** Forgets what was taken in long ago, but nothing that a dead letter may still bring back. */
export function purgeProcessed(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_processed',
    text: `
      with due as materialized (
        select p.ctid from ${schema}.processed_events p
          where p.processed_at <= now() - $1::bigint * interval '1 millisecond'
            and not exists (
              select from ${schema}.deliveries d
                where d.consumer = p.consumer and d.event_id = p.event_id
                  and d.state <> 'resolved')
          limit $2::integer
          for update skip locked
      ), purged as (
        delete from ${schema}.processed_events
          where ctid = any(array(select ctid from due))
          returning 1
      )
      select count(*)::text as count from purged`,
    values: [retentionMs, limit],
  }
}
