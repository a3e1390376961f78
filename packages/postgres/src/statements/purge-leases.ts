import type { Statement } from '../sql-client.ts'

/** Forgets leases that no attempt needs any more: what a process leaves behind that dies. */
export function purgeLeases(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_leases',
    text: `
      with due as materialized (
        select ctid from ${schema}.leases
          where renewed_first_at <= now() - $1::bigint * interval '1 millisecond'
            and (until is null or until <= now() - $1::bigint * interval '1 millisecond')
          order by renewed_first_at
          limit $2::integer
          for update skip locked
      ), purged as (
        delete from ${schema}.leases
          where ctid = any(array(select ctid from due))
          returning 1
      )
      select count(*)::text as count from purged`,
    values: [retentionMs, limit],
  }
}
