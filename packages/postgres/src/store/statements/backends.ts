import type { Statement } from '../../sql/sql-client.ts'

/**
 * Ends a server process, but only while it is still in the given transaction, and never while it
 * waits for a synchronous standby.
 */
export function terminateBackend(meant: MeantBackend): Statement {
  return {
    name: 'terminate_backend',
    text: `
      select pg_terminate_backend(pid)::text
        from pg_stat_activity
        where pid = $1::integer
          and (extract(epoch from xact_start) * 1000000)::bigint = $2::bigint
          and wait_event is distinct from 'SyncRep'
          and (not $3::boolean or current_setting('synchronous_standby_names') = '')`,
    values: [meant.backend, meant.started, String(meant.mayCommit)],
  }
}

export interface MeantBackend {
  readonly backend: number
  /** When the process's transaction began, in microseconds. */
  readonly started: string
  /**
   * Whether COMMIT was sent, so that the process may begin to wait for a synchronous standby at any
   * instant.
   */
  readonly mayCommit: boolean
}
