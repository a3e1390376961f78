import { OptionsError } from '@oncekey/core'
import { atOnce } from '@oncekey/core/options'

/**
 * The wait after the n-th failure, in milliseconds; `undefined` means that the delivery is given up
 * and dead. A list names the waits in order, and the delivery is given up after the last.
 *
 * For the time of an answer's `Retry-After`, up to `maxRetryAfterMs` (an hour), nothing is sent to
 * the endpoint. If that time is longer than the wait, it replaces it.
 */
export type RetrySchedule = readonly number[] | ((failures: number) => number | undefined)

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * The waits that the Standard Webhooks specification recommends: 5 s, 5 min, 30 min, 2 h, 5 h, 10
 * h, 14 h, 20 h, 24 h. These nine waits are some 76 hours; when the tenth attempt fails, the
 * delivery is dead.
 */
export const standardSchedule: readonly number[] = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
]

/**
 * Turns a schedule into a function. Each wait is up to a fifth longer at random, so that deliveries
 * that failed together are not retried together.
 */
export function resolveSchedule(
  schedule: RetrySchedule,
  random: () => number = Math.random,
): (failures: number) => number | undefined {
  const next = typeof schedule === 'function' ? schedule : fromList(schedule)
  return (failures) => {
    const wait = atOnce(next(failures))
    if (wait === undefined) return undefined
    return Math.round(checkWait(wait) * (1 + random() / 5))
  }
}

function fromList(waits: readonly number[]): (failures: number) => number | undefined {
  if (!Array.isArray(waits)) {
    throw new OptionsError('schedule: write a list of milliseconds, such as [5_000, 300_000].')
  }
  waits.forEach(checkWait)
  return (failures) => waits[failures - 1]
}

function checkWait(wait: number): number {
  if (Number.isFinite(wait) && wait >= 0 && wait <= LONGEST_MS) return wait
  throw new OptionsError(
    `schedule: ${wait} is not a wait in milliseconds from 0 to ${LONGEST_MS}, a year.`,
  )
}

const LONGEST_MS = 365 * 24 * HOUR
