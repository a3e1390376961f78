import type { OutboxEvent } from './events/event.ts'
import type { HeldSlot } from './slots.ts'

/**
 * The inbox of a log, by which a consumer takes each event in once, however often it is delivered:
 * what the consumer writes, and the mark that it has taken the event in, are one commit.
 */
export interface LogInbox<Tx = unknown> {
  /**
   * Opens a transaction of the inbox, which takes events in once per consumer.
   *
   * - What is written through `handle`, the mark that the events were taken in, and the events
   *   given to `commit` are one commit.
   * - `fresh` are the events that had not been taken in before. Of any number of transactions that
   *   take the same event in concurrently, at most one commits it.
   *
   * Throws `transaction-unsupported` where `capabilities.transactions` is false, and `store-busy`;
   * `log-restored` if the slots were leased in an earlier life of the log. Earlier events may have
   * lost their effects since, and must take effect again first.
   */
  takeIn(request: TakeIn): Promise<Intake<Tx>>

  /**
   * For a handler that emitted events without a transaction: commits the inbox's mark together with
   * the events. `duplicate`: the event had been taken in before, and nothing was written. A log
   * without transactions may append the events all the same, unless it knows that they were
   * appended.
   */
  emit(request: {
    readonly consumer: string
    readonly eventId: string
    readonly events: readonly OutboxEvent[]
  }): Promise<'done' | 'duplicate'>
}

export interface TakeIn {
  readonly consumer: string
  readonly eventIds: readonly string[]
  /**
   * The slots of the events, as this relay holds them; the log checks in which of its lives they
   * were leased. @default no such check
   */
  readonly slots?: readonly HeldSlot[]
  /** The limit for getting a free connection, opening it and BEGIN together. Milliseconds. */
  readonly timeoutMs: number
  /**
   * Aborts once the caller has gone. A transaction that is still waited for is not begun then, and
   * makes room for others; one that is already being opened is opened all the same.
   */
  readonly signal?: AbortSignal
}

/**
 * A transaction of the inbox. It ends exactly once, through `commit` or `rollback`; from then on
 * `handle` throws `transaction-over`.
 */
export interface Intake<Tx> {
  readonly handle: Tx
  readonly fresh: ReadonlySet<string>
  /** Throws where the outcome of the commit is not known. */
  commit(events: readonly OutboxEvent[]): Promise<void>
  /** Never rejects. */
  rollback(): Promise<void>
}
