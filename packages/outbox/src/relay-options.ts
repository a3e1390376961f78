import type { EventLog } from '@oncekey/core'
import type { Consumer } from './consumer.ts'

export interface RelayOptions<Tx> {
  /** Where the events are: `postgresLog({ client })`, `memoryLog(store)`. */
  readonly log: EventLog<Tx>
  /** Who gets them. A name may appear once. */
  readonly consumers: readonly Consumer<Tx>[]
  /** How many events are read at once, for each consumer. @default 500 */
  readonly batchSize?: number
  /**
   * How many events of a consumer may be read and not yet passed by its cursor: as many can be
   * delivered again after a crash. @default 5000
   */
  readonly maxInFlight?: number
  /** How long a relay holds slots without renewing; after a crash others wait that long. Milliseconds. @default 15_000 */
  readonly leaseMs?: number
  /** How long it waits at least before it looks for events again. Milliseconds. @default 5 */
  readonly minPollMs?: number
  /** How long at most, once there has been nothing for a while. Milliseconds. @default 500 */
  readonly maxPollMs?: number
  /** How long what is settled may wait for its cursor write, so that many share one. Milliseconds. @default 20 */
  readonly advanceEveryMs?: number
  /** How often what is no longer needed is taken away. 0: never by this relay. Milliseconds. @default 60_000 */
  readonly maintainEveryMs?: number
}

/** Brings events from a log to consumers. */
export interface Relay {
  /** Unique; what the log knows it by. */
  readonly id: string
  /**
   * One round for every consumer: takes slots, hands out what there is, waits for the handlers, moves
   * the cursors. Returns how many were handled; 0 when there was nothing to do.
   */
  runOnce(): Promise<number>
  /** Runs until stopped. Failures of the log are told on `oncekey:relay-error` and tried again. */
  start(): void
  /**
   * Reads nothing more, lets what is under way finish for so long, aborts the rest, writes the cursors
   * and lets the slots go. @default 10_000
   */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>
}
