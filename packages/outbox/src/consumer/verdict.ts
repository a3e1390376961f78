import { inspect } from 'node:util'
import { type DeliveryAttempt, type DeliveryVerdict, warnOnce } from '@oncekey/core'
import { atOnce } from '@oncekey/core/options'
import { attemptError } from './attempt-error.ts'
import type { Consumer } from './consumer.ts'
import { PermanentError } from './permanent-error.ts'
import { isPostponed } from './postponed-error.ts'

/**
 * Decides what becomes of an event whose attempt failed. `attempt` is the number of that attempt.
 * The consumer is not asked about an error of the relay itself (a time limit, no connection for
 * `transaction()`): another attempt may well succeed.
 */
export function verdictOf<Tx>(
  consumer: Consumer<Tx>,
  { error, isOwn }: { readonly error: unknown; readonly isOwn: boolean },
  attempt: number,
): DeliveryVerdict {
  if (isPostponed(error)) return { kind: 'retrying', delayMs: error.delayMs }
  const isPermanent = isOwn
    ? error instanceof PermanentError
    : saysPermanent(consumer.isPermanent, error)
  if (isPermanent) return { kind: 'dead', reason: 'permanent' }
  if (attempt >= consumer.maxAttempts) return { kind: 'dead', reason: 'exhausted' }
  return { kind: 'retrying', delayMs: delayAfter(consumer, attempt) }
}

export function deliveryAttempt(
  error: unknown,
  startedAtMs: number,
  durationMs: number,
): DeliveryAttempt {
  return { startedAtMs, durationMs, error: attemptError(error) }
}

/**
 * Calls `isPermanent`. If it throws or returns anything but a boolean, the error is not permanent.
 */
export function saysPermanent(predicate: (error: unknown) => boolean, error: unknown): boolean {
  try {
    const permanent: unknown = atOnce(predicate(error))
    if (permanent === true) return true
    if (permanent !== false) warnOfOption('isPermanent', 'true or false, at once', permanent)
  } catch (thrown) {
    warnOfOption('isPermanent', 'true or false', thrown)
  }
  return false
}

/** Calls `backoff`. If it throws or returns no valid wait, the wait is one second. Milliseconds. */
export function delayAfter<Tx>({ backoff }: Consumer<Tx>, attempt: number): number {
  try {
    const delayMs: unknown = atOnce(backoff(attempt))
    if (typeof delayMs === 'number' && delayMs >= 0) return Math.min(delayMs, LONGEST_MS)
    warnOfOption('backoff', 'milliseconds from 0, at once', delayMs)
  } catch (thrown) {
    warnOfOption('backoff', 'milliseconds from 0', thrown)
  }
  return FALLBACK_DELAY_MS
}

/** Warns once about an option function that threw or returned an invalid value. */
function warnOfOption(option: string, must: string, got: unknown): void {
  const shown =
    got instanceof Error
      ? `threw ${got.name}: ${got.message}`
      : `returned ${inspect(got, { depth: 0 })}`
  warnOnce(`consumer-option:${option}`, `consumer: ${option} must return ${must}; it ${shown}`)
}

const FALLBACK_DELAY_MS = 1_000
const LONGEST_MS = 365 * 86_400_000
