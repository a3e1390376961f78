import type { HeaderChange, PlainResponse } from '../contracts/stored-response.ts'

/**
 * What becomes of a response.
 *
 * - `commit`: writes, events and response are kept.
 * - `refuse`: writes and events are undone; the refusal itself is kept and replayed.
 * - `retry`: everything is undone and the response is not kept. After a handler's
 *   `release()` the key is free. If the status decided it, the key is free in transaction mode, and
 *   its outcome is unknown in lease mode.
 */
export type Disposition = 'commit' | 'refuse' | 'retry'

/**
 * Overrides for single statuses: `{ 402: 'commit' }` keeps the ledger row of a declined payment.
 */
export type DispositionOverrides = Readonly<Record<number, Disposition>>

/** Statuses below 500 that mean "not now" or "not you" and say nothing about the request itself. */
const RETRY = new Set([401, 407, 408, 421, 423, 425, 429])

/**
 * 2xx and 3xx give `commit`, 4xx give `refuse`, 5xx and {@link RETRY} give `retry`. So does a 4xx
 * with `Retry-After`: whoever comes back as it asks must not get the same refusal again.
 */
export function dispositionOf(
  { status, headers }: Pick<PlainResponse, 'status' | 'headers'>,
  overrides: DispositionOverrides,
): Disposition {
  const override = overrides[status]
  if (override !== undefined) return override
  if (status < 400) return 'commit'
  return status >= 500 || RETRY.has(status) || headers.some(isRetryAfter) ? 'retry' : 'refuse'
}

function isRetryAfter([name, value]: HeaderChange): boolean {
  return value !== null && name.toLowerCase() === 'retry-after'
}
