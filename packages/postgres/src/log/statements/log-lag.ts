import type { Statement } from '../../sql-client.ts'

/** How many events a consumer has not passed, up to a limit. */
export function logLag(
  schema: string,
): (consumer: string, limit: number) => Statement<{ events: string; oldest_ms: string | null }> {
  const text = `select * from ${schema}.log_lag_2($1::text, $2::integer)`
  return (consumer, limit) => ({ name: 'log_lag', text, values: [consumer, limit] })
}
