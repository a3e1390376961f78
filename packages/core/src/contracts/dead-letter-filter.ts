import { OptionsError } from '../errors/errors.ts'
import type { DeadReason } from './delivery.ts'

/**
 * Every given condition must hold. An empty filter matches all. A condition is given or left out:
 * one that is there and undefined is refused, because it would match all.
 */
export interface DeadLetterFilter {
  readonly ids?: readonly string[]
  readonly eventIds?: readonly string[]
  /** A consumer, an endpoint, a saga. */
  readonly origin?: string
  readonly type?: string
  readonly subject?: string
  readonly reason?: DeadReason
  /** A kind of error: `error.fingerprint`. No fingerprint of a request. */
  readonly fingerprint?: string
  readonly deadBefore?: Date
  readonly deadAfter?: Date
  /**
   * Matches only the dead letters of retired consumers. @default false, which matches none of them
   */
  readonly retired?: boolean
}

const RETRYING_CONDITIONS = ['origin', 'type', 'subject'] as const

/** Every given condition must hold. An empty filter matches all that are retrying. */
export type RetryingFilter = Pick<DeadLetterFilter, (typeof RETRYING_CONDITIONS)[number]>

/**
 * Validates a filter of this function: each condition is one that there is, and has a value. A
 * misspelt one, or one whose value did not come, would be none, so that all letters match. Throws
 * {@link OptionsError}.
 */
export function checkedFilter<Filter extends DeadLetterFilter>(
  what: string,
  filter: Filter,
): Filter {
  return checkedConditions(what, filter, Object.keys(CONDITIONS))
}

/** The same for a filter of what is retried, which has fewer conditions. */
export function checkedRetryingFilter(what: string, filter: RetryingFilter): RetryingFilter {
  return checkedConditions(what, filter, RETRYING_CONDITIONS)
}

/** The same for conditions of these names. Throws {@link OptionsError}. */
export function checkedConditions<Conditions extends object>(
  what: string,
  given: Conditions,
  names: readonly string[],
): Conditions {
  if (typeof given !== 'object' || given === null) {
    throw new OptionsError(`${what}: a filter is an object, such as { ${names[0]}: … }.`)
  }
  for (const [name, value] of Object.entries(given)) {
    if (!names.includes(name)) {
      throw new OptionsError(
        `${what}: a filter has no condition "${name}". There are ${names.join(', ')}.`,
      )
    }
    if (value === undefined || value === null) {
      throw new OptionsError(
        `${what}: the condition "${name}" of the filter is ${value}. Leave it out if it is not meant; ` +
          'then the filter matches whatever the others do not exclude.',
      )
    }
  }
  return given
}

/** A table, so that the compiler finds a condition that is missing here. */
const CONDITIONS: Readonly<Record<keyof DeadLetterFilter, true>> = {
  ids: true,
  eventIds: true,
  origin: true,
  type: true,
  subject: true,
  reason: true,
  fingerprint: true,
  deadBefore: true,
  deadAfter: true,
  retired: true,
}
