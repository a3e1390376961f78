import type { Statement } from '../sql-client.ts'

/** Drops the bytes of responses past their time; the keys stay. */
export function purgeResults(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_results',
    text: `
      with due as materialized (
        select ctid from ${schema}.records
          where body is not null and completed_at <= now() - $1::bigint * interval '1 millisecond'
          order by completed_at
          limit $2::integer
          for update skip locked
      ), purged as (
        update ${schema}.records set body = null, headers = null, seal = null, token = null
          where ctid = any(array(select ctid from due))
          returning 1
      )
      select count(*)::text as count from purged`,
    values: [retentionMs, limit],
  }
}
