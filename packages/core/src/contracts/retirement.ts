import { actedBy } from '../acts/act.ts'
import { OptionsError } from '../errors/errors.ts'

export interface RetireOptions {
  /**
   * What becomes of the consumer's retrying and dead deliveries. `keep`: they become dead letters
   * that can be listed and discarded, but not redriven. `discard`: none of them is ever delivered.
   *
   * @default 'keep'
   */
  readonly remaining?: 'keep' | 'discard'
  /** Why, for the audit trail and for what is discarded. @default 'The consumer was retired.' */
  readonly note?: string
  /** Who retires the consumer, for the audit trail. @default the login of the connection */
  readonly actor?: string
}

/** How many deliveries the consumer left behind. */
export interface Retired {
  readonly kept: number
  readonly discarded: number
}

/** {@link RetireOptions}, checked and filled in; `actor` is `null` where it was not given. */
export interface Retirement extends Required<Omit<RetireOptions, 'actor'>> {
  readonly actor: string | null
}

/**
 * Validates the options of `EventLog.retire` and fills in their defaults. Throws {@link
 * OptionsError}.
 */
export function retirement(options: RetireOptions = {}): Retirement {
  const { remaining = 'keep', note = 'The consumer was retired.' } = options
  if (remaining !== 'keep' && remaining !== 'discard') {
    throw new OptionsError(
      `retire: remaining must be 'keep' or 'discard', not ${JSON.stringify(remaining)}.`,
    )
  }
  const { actor } = actedBy('retire', options.actor == null ? {} : { actor: options.actor })
  if (typeof note !== 'string' || note.trim() === '') {
    throw new OptionsError(
      "retire: a note says why, for whoever looks later: { remaining: 'discard', note: 'replaced by billing' }.",
    )
  }
  return { remaining, note, actor }
}

/** What a maintenance of a log did, and whom it missed. */
export interface Maintenance {
  /** The number of events removed. A log may remove them in portions. */
  readonly dropped: number
  /** Consumers that hold events back and have no relay: most likely removed or renamed. */
  readonly missing: readonly { readonly consumer: string; readonly lastSeenAt: Date }[]
  /** Consumers that no longer hold events back, because they were missing for too long. */
  readonly abandoned: readonly string[]
}
