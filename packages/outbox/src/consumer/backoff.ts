import { OptionsError } from '@oncekey/core'

/** How long to wait after a failed attempt; `attempt` is 1 for the first. Milliseconds. */
export type Backoff = (attempt: number) => number

export interface BackoffOptions {
  /** The upper limit of the wait after the first attempt. Milliseconds. @default 500 */
  readonly baseMs?: number
  /** The upper limit of every wait. Milliseconds. @default 300_000 (5 minutes) */
  readonly capMs?: number
  /** The factor by which the limit of the wait grows with each attempt. @default 2 */
  readonly factor?: number
  /**
   * `full`: a random wait between 0 and the limit, so that events that failed together are not
   * retried together. `none`: always the limit. @default 'full'
   */
  readonly jitter?: 'full' | 'none'
  /** @default Math.random */
  readonly random?: () => number
}

/**
 * Exponential backoff with full jitter. Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * consumer({ name: 'email', backoff: backoff({ baseMs: 1_000, capMs: 60_000 }), handle })
 * ```
 */
export function backoff(options: BackoffOptions = {}): Backoff {
  const {
    baseMs = 500,
    capMs = 300_000,
    factor = 2,
    jitter = 'full',
    random = Math.random,
  } = options
  if (!(Number.isFinite(baseMs) && baseMs >= 1))
    throw wrong('baseMs', baseMs, 'from 1, such as 500')
  if (!(Number.isFinite(capMs) && capMs >= baseMs))
    throw wrong('capMs', capMs, `of at least baseMs, ${baseMs}`)
  if (!(Number.isFinite(factor) && factor >= 1)) throw wrong('factor', factor, 'from 1, such as 2')
  if (jitter !== 'full' && jitter !== 'none') {
    throw new OptionsError(`backoff: jitter is 'full' or 'none', not ${JSON.stringify(jitter)}.`)
  }
  return (attempt) => {
    const longest = Math.min(capMs, baseMs * factor ** (attempt - 1))
    return Math.round(jitter === 'none' ? longest : longest * random())
  }
}

function wrong(name: string, value: unknown, what: string): OptionsError {
  return new OptionsError(`backoff: ${name} must be a number ${what}, not ${String(value)}.`)
}
