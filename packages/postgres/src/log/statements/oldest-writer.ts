import type { Statement } from '../../sql-client.ts'

/** The transaction that has been writing the longest, in any database of the cluster. */
export function oldestWriter(): Statement<{ age_ms: string; pid: string }> {
  return {
    name: 'oldest_writer',
    text: `
      select (extract(epoch from clock_timestamp() - xact_start) * 1000)::bigint::text as age_ms,
             pid::text
        from pg_stat_activity
        where backend_xid is not null and xact_start is not null and pid <> pg_backend_pid()
        order by xact_start
        limit 1`,
    values: [],
  }
}
