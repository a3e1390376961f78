import type { Claim } from '@oncekey/core'
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

/**
 * The same for a transaction of lease mode, whose lease is renewed while it is open: a handler may
 * send nothing for much longer than a short lease. So it is four times the handler's time limit and
 * 5 s, as in transaction mode, and never less than a minute.
 */
export function lateBackstopOf(
  client: SqlClient,
  { leaseMs, handlerTimeoutMs = 0 }: Pick<Claim, 'leaseMs' | 'handlerTimeoutMs'>,
): number {
  const ms = backstopOf(client, Math.max(leaseMs, 2 * handlerTimeoutMs))
  return ms === 0 ? 0 : Math.max(ms, 60_000)
}

const MAX_INT = 2 ** 31 - 1
