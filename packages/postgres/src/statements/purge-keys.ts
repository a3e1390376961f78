import type { Statement } from '../sql-client.ts'

/** Forgets keys past their time whose response is gone. */
export function purgeKeys(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_keys',
    text: `
      with due as materialized (
        select ctid from ${schema}.records
          where body is null and completed_at <= now() - $1::bigint * interval '1 millisecond'
          order by completed_at
          limit $2::integer
          for update skip locked
      ), purged as (
        delete from ${schema}.records
          where ctid = any(array(select ctid from due))
          returning 1
      )
      select count(*)::text as count from purged`,
    values: [retentionMs, limit],
  }
}
