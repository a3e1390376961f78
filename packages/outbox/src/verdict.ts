import { inspect } from 'node:util'
import { type DeliveryAttempt, type DeliveryVerdict, warnOnce } from '@oncekey/core'
import { attemptError } from './attempt-error.ts'
import type { Consumer } from './consumer.ts'

/** What becomes of an event that failed for the `attempt`th time. */
export function verdictOf<Tx>(
  consumer: Consumer<Tx>,
  error: unknown,
  attempt: number,
): DeliveryVerdict {
  if (saysPermanent(consumer.isPermanent, error)) return { kind: 'dead', reason: 'permanent' }
  if (attempt >= consumer.maxAttempts) return { kind: 'dead', reason: 'exhausted' }
  return { kind: 'retrying', delayMs: delayAfter(consumer, attempt) }
}

export function triedOnce(
  error: unknown,
  startedAtMs: number,
  durationMs: number,
): DeliveryAttempt {
  return { startedAtMs, durationMs, error: attemptError(error) }
}

/** Where the consumer's own function fails, the error is as any other. */
export function saysPermanent(asked: (error: unknown) => boolean, error: unknown): boolean {
  try {
    const permanent: unknown = asked(error)
    if (permanent === true) return true
    if (permanent !== false) wrongly('isPermanent', 'true or false, at once', permanent)
  } catch (thrown) {
    wrongly('isPermanent', 'true or false', thrown)
  }
  return false
}

function delayAfter<Tx>({ backoff }: Consumer<Tx>, attempt: number): number {
  try {
    const delayMs: unknown = backoff(attempt)
    if (typeof delayMs === 'number' && delayMs >= 0) return Math.min(delayMs, LONGEST_MS)
    wrongly('backoff', 'milliseconds from 0, at once', delayMs)
  } catch (thrown) {
    wrongly('backoff', 'milliseconds from 0', thrown)
  }
  return WHEN_UNTOLD_MS
}

/** It is told once, and the attempt counts as if the function were not there. */
function wrongly(option: string, must: string, got: unknown): void {
  // A promise that rejects would end the process.
  if (got instanceof Promise) got.catch(() => {})
  const shown =
    got instanceof Error
      ? `threw ${got.name}: ${got.message}`
      : `returned ${inspect(got, { depth: 0 })}`
  warnOnce(`consumer-option:${option}`, `consumer: ${option} must return ${must}; it ${shown}`)
}

const WHEN_UNTOLD_MS = 1_000
const LONGEST_MS = 365 * 86_400_000
