import type { Statement } from '../../sql-client.ts'

/** Forgets dead letters that were dealt with long ago. */
export function purgeResolved(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_resolved',
    text: `
      with due as materialized (
        select ctid from ${schema}.deliveries
          where state = 'resolved' and resolved_at <= now() - $1::bigint * interval '1 millisecond'
          order by resolved_at
          limit $2::integer
          for update skip locked
      ), purged as (
        delete from ${schema}.deliveries
          where ctid = any(array(select ctid from due))
          returning 1
      )
      select count(*)::text as count from purged`,
    values: [retentionMs, limit],
  }
}
