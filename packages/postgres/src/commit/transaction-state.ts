import type { Statement } from '../sql/sql-client.ts'

/** A transaction, as other connections can tell it apart. */
export interface BegunAt {
  /** The number of the server process. */
  readonly backend: number
  /** When the transaction began, in microseconds. */
  readonly started: string
}

/** The columns `backend` and `started` of the statement that begins a transaction. */
export const BEGUN_AT: string = `pg_backend_pid()::text as backend,
      (extract(epoch from transaction_timestamp()) * 1000000)::bigint::text as started`

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
export function transactionState({
  backend,
  started,
}: BegunAt): Statement<{ state: 'open' | 'over' | 'hidden' }> {
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
