import type { Answer, Loss } from './attempt.ts'
import type { ResolvedOptions } from './options.ts'

/**
 * The wait after attempt number `attempt`: exponential with full jitter, so that the clients of a
 * recovering server do not return in step. `Retry-After` is the minimum, with the jitter on top.
 * Infinity if the server asks for more than we wait, because an earlier attempt would be useless.
 */
export function delayAfter(
  outcome: Answer | Loss,
  attempt: number,
  options: ResolvedOptions,
): number {
  const ceiling = Math.min(options.maxDelayMs, options.baseDelayMs * 2 ** Math.min(attempt - 1, 31))
  const jitter = Math.round(options.random() * ceiling)
  if (outcome.kind === 'lost') return jitter
  const asked = retryAfterMs(outcome.response.headers, options.now) ?? 0
  return asked > options.maxRetryAfterMs ? Number.POSITIVE_INFINITY : asked + jitter
}

/**
 * The wait that `Retry-After` asks for (RFC 9110 section 10.2.3: seconds or a date), or
 * `retry-after-ms`, which some vendors send beside it. Undefined if both are absent or invalid.
 */
export function retryAfterMs(headers: Headers, now: () => number): number | undefined {
  const exact = headers.get('retry-after-ms')?.trim() ?? ''
  if (/^\d+(\.\d+)?$/.test(exact)) return Math.ceil(Number(exact))
  const value = headers.get('retry-after')?.trim() ?? ''
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000
  const at = dateMs(value)
  if (at === undefined) return undefined
  // Uses the server's clock if it is visible, because browsers' clocks can be off by minutes.
  return Math.max(0, at - (dateMs(headers.get('date') ?? '') ?? now()))
}

function dateMs(value: string): number | undefined {
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value)) return undefined
  const ms = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`)
  return Number.isNaN(ms) ? undefined : ms
}
