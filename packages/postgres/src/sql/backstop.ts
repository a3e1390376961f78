import type { SqlClient } from './sql-client.ts'

/**
 * How long the server waits for the next statement of an attempt before it ends the transaction: a
 * host that is lost does not even close its connection. It is well above the lease, because a
 * handler may send nothing for all of it. 0, which is never, on PGlite: it spins for ever when the
 * timeout fires.
 */
export function backstopOf(client: SqlClient, leaseMs: number): number {
  return client.concurrency === 'one' ? 0 : Math.min(Math.ceil(2 * leaseMs) + 5_000, MAX_INT)
}

const MAX_INT = 2 ** 31 - 1
