import type { SqlClient } from '../sql-client.ts'

/**
 * After how long without a statement the server gives an attempt up: a host that is lost sends
 * nothing, not even that it is gone. Well above the lease, because a handler may be quiet for all of
 * it. Never on PGlite, which spins for ever when the timeout fires.
 */
export function backstopOf(client: SqlClient, leaseMs: number): number {
  return client.concurrency === 'one' ? 0 : Math.min(Math.ceil(2 * leaseMs) + 5_000, MAX_INT)
}

const MAX_INT = 2 ** 31 - 1
