import { type EventLog, OptionsError } from '@oncekey/core'
import { wholeNumber } from '@oncekey/core/options'
import type { Consumer } from '../consumer/consumer.ts'

export interface RelayOptions<Tx> {
  /** Where the events are: `postgresLog({ client })`, `memoryLog(store)`. */
  readonly log: EventLog<Tx>
  /** The consumers that get the events. A name may appear once. */
  readonly consumers: readonly Consumer<Tx>[]
  /** How many events are read at once for each consumer. @default 500 */
  readonly batchSize?: number
  /**
   * How many events of a consumer may be read and not yet passed by its cursor. After a crash, up
   * to that many are delivered again. @default 5000
   */
  readonly maxInFlight?: number
  /**
   * How many bytes of events a consumer keeps in memory, and how many of deliveries that are being
   * retried. Above that, nothing more is read. One event of the largest size that a log accepts
   * fits in any case. Bytes. @default 16_777_216
   */
  readonly maxInFlightBytes?: number
  /**
   * How long a relay holds slots without renewing its lease. After a crash, other relays wait that
   * long. From 30 to 1_073_741_823. Milliseconds. @default 15_000
   */
  readonly leaseMs?: number
  /** The shortest wait before the relay looks for events again. Milliseconds. @default 5 */
  readonly minPollMs?: number
  /**
   * The longest such wait, after there has been nothing to read for a while. Milliseconds. @default
   * 500
   */
  readonly maxPollMs?: number
  /**
   * How long an outcome may wait until it is written, so that many outcomes share one write.
   * Milliseconds. @default 20
   */
  readonly advanceEveryMs?: number
  /**
   * How often the relay deletes what the log no longer needs; 0: this relay never does.
   * Milliseconds. @default 60_000
   */
  readonly maintainEveryMs?: number
}

export type ResolvedRelayOptions<Tx> = Required<RelayOptions<Tx>>

export function resolveRelayOptions<Tx>(options: RelayOptions<Tx>): ResolvedRelayOptions<Tx> {
  const log = checkLog(options?.log)
  const resolved = {
    log,
    consumers: checkConsumers(options.consumers, log),
    batchSize: whole('batchSize', options.batchSize ?? 500, 1),
    maxInFlight: whole('maxInFlight', options.maxInFlight ?? 5_000, 1),
    maxInFlightBytes: whole('maxInFlightBytes', options.maxInFlightBytes ?? 16_777_216, 1),
    leaseMs: whole('leaseMs', options.leaseMs ?? 15_000, 30),
    minPollMs: whole('minPollMs', options.minPollMs ?? 5, 0),
    maxPollMs: whole('maxPollMs', options.maxPollMs ?? 500, 1),
    advanceEveryMs: whole('advanceEveryMs', options.advanceEveryMs ?? 20, 0),
    maintainEveryMs: whole('maintainEveryMs', options.maintainEveryMs ?? 60_000, 0),
  }
  if (resolved.maxPollMs < resolved.minPollMs) {
    throw new OptionsError(
      `createRelay: maxPollMs must be at least minPollMs, ${resolved.minPollMs}, not ${resolved.maxPollMs}.`,
    )
  }
  return resolved
}

function checkLog<Tx>(log: EventLog<Tx>): EventLog<Tx> {
  if (typeof log?.read === 'function' && typeof log.capabilities === 'object') return log
  throw new OptionsError(
    'createRelay: log is missing. Write `log: postgresLog({ client: pool })` or `log: memoryLog(store)`.',
  )
}

function checkConsumers<Tx>(
  consumers: readonly Consumer<Tx>[],
  log: EventLog<Tx>,
): readonly Consumer<Tx>[] {
  if (!Array.isArray(consumers) || consumers.length === 0) {
    throw new OptionsError(
      "createRelay: consumers is empty. Write `[consumer({ name: 'email', handle })]`.",
    )
  }
  const names = new Set<string>()
  for (const { name, ordered, work } of consumers as readonly Consumer<Tx>[]) {
    if (work === undefined) {
      throw new OptionsError(
        'createRelay: every consumer must be made by consumer({ name, handle }).',
      )
    }
    if (names.has(name)) {
      throw new OptionsError(
        `createRelay: two consumers are called "${name}" and would share a cursor. Give each its own name.`,
      )
    }
    if (ordered && !log.capabilities.ordering) {
      throw new OptionsError(
        `createRelay: consumer "${name}" is ordered, but the log "${log.capabilities.name}" keeps no order. ` +
          'Write `ordered: false`: publishers are ordered by default.',
      )
    }
    names.add(name)
  }
  return consumers
}

function whole(name: string, value: number, least: number): number {
  // At most half of the longest time that a timer supports, because twice the value is used.
  return wholeNumber(`createRelay: ${name}`, value, least, 2 ** 30 - 1)
}
