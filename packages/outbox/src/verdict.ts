import type { DeliveryAttempt, DeliveryVerdict } from '@oncekey/core'
import { attemptError } from './attempt-error.ts'
import type { Consumer } from './consumer.ts'

/** What becomes of an event that failed for the `attempt`th time. */
export function verdictOf<Tx>(
  consumer: Consumer<Tx>,
  error: unknown,
  attempt: number,
): DeliveryVerdict {
  if (isPermanent(consumer, error)) return { kind: 'dead', reason: 'permanent' }
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
function isPermanent<Tx>({ isPermanent: asked }: Consumer<Tx>, error: unknown): boolean {
  try {
    return asked(error)
  } catch {
    return false
  }
}

function delayAfter<Tx>({ backoff }: Consumer<Tx>, attempt: number): number {
  try {
    const delayMs = backoff(attempt)
    if (Number.isFinite(delayMs) && delayMs >= 0) return Math.min(delayMs, LONGEST_MS)
  } catch {
    // As if it had said nothing.
  }
  return WHEN_UNTOLD_MS
}

const WHEN_UNTOLD_MS = 1_000
const LONGEST_MS = 365 * 86_400_000
