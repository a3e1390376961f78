import type { Statement } from '../../sql/sql-client.ts'

/**
 * Ends a server process, but only while it is still in the transaction that is meant, and never in its
 * wait for a synchronous standby.
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
  /** When its transaction began, in microseconds. */
  readonly started: string
  /** COMMIT was sent: from one instant to the next it may be in that wait. */
  readonly mayCommit: boolean
}

/**
 * What became of the transaction that a server process was in; no row where that process is gone. A
 * server that tracks no activities (`track_activities`) hides it, as a login without the right does.
 *
 * Of a transaction in which a statement has failed the server shows no start any more. It has not ended,
 * and is taken for the one that is asked about: nothing of it can be kept, whoever began it.
 */
export function transactionState(
  backend: number,
  started: string,
): Statement<{ state: 'open' | 'over' | 'hidden' }> {
  return {
    name: 'transaction_state',
    text: `
      select case when state is null or state = 'disabled' then 'hidden'
          when (extract(epoch from xact_start) * 1000000)::bigint = $2::bigint then 'open'
          when xact_start is null and state <> 'idle' then 'open'
          else 'over' end as state
        from pg_stat_activity
        where pid = $1::integer`,
    values: [backend, started],
  }
}
