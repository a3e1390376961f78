import { STARTED } from '../../schema/functions/store/start-attempt.ts'
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

/**
 * The state of the transaction of a server process; no row if the process is gone. The state is
 * hidden on a server without `track_activities`, and from a login without the privilege.
 *
 * A transaction with a failed statement no longer shows when it began. It is treated as the one in
 * question, because it has not ended and nothing of it can be kept, whoever began it.
 *
 * A process that waits for its synchronous standby has sent its COMMIT, which a later rollback does
 * not undo.
 */
export function transactionState(
  backend: number,
  started: string,
): Statement<{ state: 'open' | 'over' | 'hidden' }> {
  return {
    name: 'transaction_state',
    text: `
      select case when state is null or state = 'disabled' then 'hidden'
          when wait_event = 'SyncRep' then 'over'
          when (extract(epoch from xact_start) * 1000000)::bigint = $2::bigint then 'open'
          when xact_start is null and state <> 'idle' then 'open'
          else 'over' end as state
        from pg_stat_activity
        where pid = $1::integer`,
    values: [backend, started],
  }
}

/**
 * Whether the session is still in the transaction that began at `started`. It is asked on the
 * session itself, and fails in a transaction in which a statement has failed.
 */
export function sameTransaction(started: string): Statement<{ same: 'true' | 'false' }> {
  return {
    name: 'same_transaction',
    text: `select (${STARTED} = $1::bigint)::text as same`,
    values: [started],
    cancellable: true,
  }
}
