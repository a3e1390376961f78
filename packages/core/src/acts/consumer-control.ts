import type { ActedBy } from './act.ts'

/**
 * What an operator can do to the consumers of a log, and what relays report of them.
 *
 * - A paused consumer is started by no relay: what is under way ends, its slots stay held, its
 *   events are kept. Relays ask within their poll interval.
 * - Pausing and resuming are acts, with their entry in the audit trail.
 * - A consumer that is retired is forgotten with its pause.
 */
export interface ConsumerControl {
  /**
   * Pauses a consumer. `already`: it was paused before, and who paused it and why stay on record.
   */
  pause(consumer: string, by?: ActedBy): Promise<'paused' | 'already' | 'unknown'>
  resume(consumer: string, by?: ActedBy): Promise<'resumed' | 'already' | 'unknown'>
  /** Returns those of these consumers that are paused. */
  paused(consumers: readonly string[]): Promise<readonly string[]>
  /** Called by a relay: reports what it has done since its last report. */
  report(work: RelayWork): Promise<void>
}

/** What one relay did for one consumer lately. */
export interface RelayWork {
  readonly consumer: string
  readonly relay: string
  /** Events per second that ended, with success or without. */
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
