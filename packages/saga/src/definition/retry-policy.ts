import { OptionsError } from '@oncekey/core'
import { atOnce } from '@oncekey/core/options'
import { type Backoff, backoff } from '@oncekey/outbox'
import { reportError } from '../telemetry/channels.ts'

/** How many times a step is attempted, and how long to wait between attempts. */
export interface Retry {
  /**
   * How many attempts a step gets, including the first. An attempt counts once it is recorded: one
   * whose process died before, or whose record the database keeps refusing, is made again under its
   * number by the next process that takes the run, which 5 may do in vain (`maxLost`).
   * @default 10 before the pivot; 20 for a pivot, a retriable step and a compensation
   */
  readonly maxAttempts?: number
  /**
   * The wait after a failed attempt. The database adds it to its own clock.
   * @default backoff({ capMs: 60_000 })
   */
  readonly backoff?: Backoff
}

export type RetryPolicy = Required<Retry>

/** Validates the options and fills in the defaults. */
export function retryPolicy(what: string, retry: Retry, maxAttempts: number): RetryPolicy {
  const policy = {
    maxAttempts: retry.maxAttempts ?? maxAttempts,
    backoff: retry.backoff ?? DEFAULT_BACKOFF,
  }
  const { maxAttempts: most } = policy
  if (!(Number.isInteger(most) && most >= 1 && most < 2 ** 31)) {
    throw new OptionsError(`${what}.maxAttempts: ${most} is not a whole number from 1, such as 10.`)
  }
  if (typeof policy.backoff !== 'function') {
    throw new OptionsError(`${what}.backoff: write backoff({ baseMs: 500 }), of @oncekey/outbox.`)
  }
  return policy
}

/**
 * The wait after this many failures. If `backoff` throws or does not return a duration, that error
 * is reported and the default backoff is used; the run continues.
 */
export function delayMs(policy: RetryPolicy, failures: number, runId: string): number {
  try {
    const ms = atOnce(policy.backoff(failures))
    if (Number.isFinite(ms) && ms >= 0) return Math.min(Math.round(ms), 2 ** 31 - 1)
    throw new OptionsError(
      `backoff(${failures}) returned ${String(ms)}, which is not a time in milliseconds.`,
    )
  } catch (error) {
    reportError({ error, during: 'backoff', runId })
    return Math.round(DEFAULT_BACKOFF(failures))
  }
}

const DEFAULT_BACKOFF = backoff({ capMs: 60_000 })
