import { OncekeyError } from '@oncekey/core'
import type { Consumer } from './consumer.ts'
import { PostponedError } from './postponed-error.ts'
import { delayAfter } from './verdict.ts'

/** The wait of an attempt for its transaction. */
export interface IntakeWait {
  /** Aborts when the attempt ends, so that it leaves the queue for a transaction. */
  readonly signal: AbortSignal
  /** The error with which the log ended the wait. */
  failed: { readonly error: unknown } | undefined
  end(): void
}

export function beginWait(): IntakeWait {
  const controller = new AbortController()
  return {
    signal: controller.signal,
    failed: undefined,
    end: () => controller.abort(),
  }
}

/** Whether the attempt waits for its transaction, and has neither got it nor failed to. */
export function isWaiting({ intakeWait }: WithWait): boolean {
  return intakeWait !== undefined && intakeWait.failed === undefined
}

/**
 * The error of an attempt that has ended. If what it lacked was a transaction, the event is
 * postponed, because it was not tried: with `concurrency` above `maxTransactions` and a slow
 * consumer, an event may miss its turn at every attempt, and would become a dead letter by waiting.
 *
 * That is so if the log itself said that none came free, or if the time ran out during the wait,
 * which counts towards no other limit than its own.
 */
export function endedWaiting<Tx>(
  attempt: { readonly consumer: Consumer<Tx>; readonly number: number } & WithWait,
  error: unknown,
): unknown {
  if (!isForLackOfOne(attempt, error)) return error
  const { consumer, number } = attempt
  return new PostponedError(
    `Consumer "${consumer.name}" got no transaction in its time, so the event was not tried.`,
    delayAfter(consumer, number),
    error,
  )
}

interface WithWait {
  readonly intakeWait: IntakeWait | undefined
}

function isForLackOfOne(attempt: WithWait, error: unknown): boolean {
  if (isWaiting(attempt)) return isOf('delivery-timeout', error)
  const failed = attempt.intakeWait?.failed
  return failed !== undefined && error === failed.error && isOf('store-busy', error)
}

function isOf(code: OncekeyError['code'], error: unknown): boolean {
  return error instanceof OncekeyError && error.code === code
}
