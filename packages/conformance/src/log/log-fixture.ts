import type { EventLog, OutboxEvent } from '@oncekey/core'

/** A transaction that has written events and is not committed yet. */
export interface OpenAppend {
  commit(): Promise<void>
  rollback(): Promise<void>
}

/**
 * A log under test. Only `log` is a must; each of the others lets more of the contract be tested, and
 * what stays untested is reported as skipped, with its reason.
 *
 * The suite names every consumer, event, ordering key and write anew, so fixtures may share a database.
 */
export interface LogFixture<Tx = unknown> {
  readonly log: EventLog<Tx>

  /** Ends what `create` began. Called after each test, also after one that failed. */
  close?(): void | Promise<void>

  /** A log on the same data, as another process has it: nothing shared but what is stored. */
  another?(): EventLog<Tx> | Promise<EventLog<Tx>>

  /** Writes events in a transaction of their own, and leaves it open: several at once. */
  open?(events: readonly OutboxEvent[]): Promise<OpenAppend>

  /** Moves the log's clock on. Without it tests take real, short times and wait. Milliseconds. */
  advance?(ms: number): void | Promise<void>

  /** Writes a row named `id`, as a consumer would. With `written` it opens the inbox tests. */
  write?(transaction: Tx, id: string): unknown

  /** Whether the row is there for everybody. */
  written?(id: string): boolean | Promise<boolean>
}

/** What a behaviour asks of a log before it can be tested on it. */
export type LogNeed = 'transactions' | 'ordering' | 'open transactions'

const needs: Record<LogNeed, (fixture: LogFixture) => string | undefined> = {
  transactions: ({ log, write, written }) => {
    if (!log.capabilities.transactions) return 'the log has no transactions'
    if (write === undefined || written === undefined)
      return 'the fixture lacks write() or written()'
    return undefined
  },

  ordering: ({ log }) => (log.capabilities.ordering ? undefined : 'the log keeps no order'),

  'open transactions': ({ open }) => (open === undefined ? 'the fixture lacks open()' : undefined),
}

/** Why this log cannot be asked for a behaviour; `undefined` if it can. */
export function unmetByLog(
  fixture: LogFixture,
  wanted: readonly LogNeed[] = [],
): string | undefined {
  for (const need of wanted) {
    const reason = needs[need](fixture)
    if (reason !== undefined) return `needs ${need}: ${reason}`
  }
  return undefined
}
