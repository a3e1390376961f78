import type { ActedBy } from './act.ts'

/**
 * What an operator can do to the consumers of a log, and what relays report of them.
 *
 * - While a consumer is paused, no relay starts its events. Attempts under way end as usual, relays
 *   keep its slots, and the log keeps its events. A relay notices a pause within its poll interval.
 * - Pausing and resuming are acts, each with an entry in the audit trail.
 * - Retiring a consumer also forgets its pause.
 */
export interface ConsumerControl {
  /** Pauses a consumer. `already`: it was paused before; who paused it and why stay on record. */
  pause(consumer: string, by?: ActedBy): Promise<'paused' | 'already' | 'unknown'>
  resume(consumer: string, by?: ActedBy): Promise<'resumed' | 'already' | 'unknown'>
  /** Returns the given consumers that are paused. */
  paused(consumers: readonly string[]): Promise<readonly string[]>
  /** Called by a relay: reports what it has done since its last report. */
  report(work: RelayWork): Promise<void>
}

/** What one relay did for one consumer lately. */
export interface RelayWork {
  readonly consumer: string
  readonly relay: string
  /** Events per second whose delivery ended, successfully or not. */
  readonly perSecond: number
  /** The newest failure since the relay started. */
  readonly lastError: LastError | null
}

export interface LastError {
  readonly name: string
  readonly message: string
  readonly eventId: string
  readonly at: Date
}
