import type { Statement } from '../../sql-client.ts'

/** What became of the transaction that a server process was in; no row where that process is gone. */
export function transactionState(
  backend: number,
  started: string,
): Statement<{ state: 'open' | 'over' | 'hidden' }> {
  return {
    name: 'transaction_state',
    text: `
      select case when state is null then 'hidden'
          when (extract(epoch from xact_start) * 1000000)::bigint = $2::bigint then 'open'
          else 'over' end as state
        from pg_stat_activity
        where pid = $1::integer`,
    values: [backend, started],
  }
}
