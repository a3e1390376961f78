import { OncekeyError } from '@oncekey/core'
import type { Consumer } from './consumer.ts'
import { PostponedError } from './postponed-error.ts'
import { delayAfter } from './verdict.ts'

/** The wait of an attempt for its transaction. */
export interface IntakeWait {
  readonly since: number
  /** Aborts when the attempt ends, so that it leaves the queue for a transaction. */
  readonly signal: AbortSignal
  /** The error with which the log ended the wait. */
  failed: { readonly error: unknown } | undefined
  end(): void
}

export function beginWait(): IntakeWait {
  const controller = new AbortController()
  return {
    since: performance.now(),
    signal: controller.signal,
    failed: undefined,
    end: () => controller.abort(),
  }
}

/**
 * The error of an attempt that has ended. If what it lacked was a transaction, the event is
 * postponed, because it was not tried: with `concurrency` above `maxTransactions` and a slow
 * consumer, an event may miss its turn at every attempt, and would become a dead letter by waiting.
 *
 * That is so if the log itself said that none came free, or if most of the attempt's time was spent
 * waiting. An attempt that asked for a transaction shortly before its end took too long itself.
 */
export function endedWaiting<Tx>(
  {
    consumer,
    number,
    intakeWait,
  }: {
    readonly consumer: Consumer<Tx>
    readonly number: number
    readonly intakeWait: IntakeWait | undefined
  },
  error: unknown,
): unknown {
  if (intakeWait === undefined || !isForLackOfOne(intakeWait, error, consumer)) return error
  return new PostponedError(
    `Consumer "${consumer.name}" got no transaction in its time, so the event was not tried.`,
    delayAfter(consumer, number),
    error,
  )
}

function isForLackOfOne<Tx>(
  { since, failed }: IntakeWait,
  error: unknown,
  { attemptTimeoutMs }: Consumer<Tx>,
): boolean {
  if (failed !== undefined) return error === failed.error && isOf('store-busy', error)
  return isOf('delivery-timeout', error) && performance.now() - since >= attemptTimeoutMs / 2
}

function isOf(code: OncekeyError['code'], error: unknown): boolean {
  return error instanceof OncekeyError && error.code === code
}
