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
  /** `already`: it was paused before, by whom and why stays as it is. */
  pause(consumer: string, by?: ActedBy): Promise<'paused' | 'already' | 'unknown'>
  resume(consumer: string, by?: ActedBy): Promise<'resumed' | 'already' | 'unknown'>
  /** Which of these are paused. */
  paused(consumers: readonly string[]): Promise<readonly string[]>
  /** A relay says what it has done since it last said so. */
  report(work: RelayWork): Promise<void>
}

/** What one relay did for one consumer lately. */
export interface RelayWork {
  readonly consumer: string
  readonly relay: string
  /** Events that ended, whatever became of them. */
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
