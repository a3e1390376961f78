import type { SqlClient } from './sql-client.ts'

/**
 * How long the server waits for the next statement of an attempt before it ends the transaction. It
 * frees the key of a host that was lost without closing its connection. It is well above the lease,
 * because a handler may send nothing for the whole length of its lease. On PGlite it is 0, which
 * means never, because PGlite spins for ever when the timeout fires.
 */
export function backstopOf(client: SqlClient, leaseMs: number): number {
  return client.concurrency === 'one' ? 0 : Math.min(Math.ceil(2 * leaseMs) + 5_000, MAX_INT)
}

const MAX_INT = 2 ** 31 - 1
