import type { Statement } from '../sql-client.ts'

/** Forgets keys of lease mode whose attempts ended, past their time, without saying how. */
export function purgeAttempts(
  schema: string,
  retentionMs: number,
  limit: number,
): Statement<{ count: string }> {
  return {
    name: 'purge_attempts',
    text: `
      with due as materialized (
        select a.ctid from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
          where a.claimed_at <= now() - $1::bigint * interval '1 millisecond'
            and coalesce(l.until, a.until) <= now() - $1::bigint * interval '1 millisecond'
          order by a.claimed_at
          limit $2::integer
          for update of a skip locked
      ), purged as (
        delete from ${schema}.attempts
          where ctid = any(array(select ctid from due))
          returning 1
      )
      select count(*)::text as count from purged`,
    values: [retentionMs, limit],
  }
}
