import type { Statement } from '../../sql-client.ts'

/** Ends a server process, but only while it is still in the transaction that is meant. */
export function terminateBackend(backend: number, started: string): Statement {
  return {
    name: 'terminate_backend',
    text: `
      select pg_terminate_backend(pid)::text
        from pg_stat_activity
        where pid = $1::integer
          and (extract(epoch from xact_start) * 1000000)::bigint = $2::bigint`,
    values: [backend, started],
  }
}
