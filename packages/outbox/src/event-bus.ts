import {
  type EmittedEvent,
  type EventLog,
  OncekeyError,
  OptionsError,
  type OutboxEvent,
  outboxEvent,
  sleep,
  tell,
  waitedFor,
} from '@oncekey/core'
import {
  type Consumer,
  type ConsumerContext,
  type ConsumerSettings,
  consumer,
} from './consumer/consumer.ts'
import { createRelay, type Relay } from './relay/relay.ts'
import type { RelayOptions } from './relay/relay-options.ts'

export interface EventBusOptions<Tx> extends Omit<RelayOptions<Tx>, 'consumers'> {
  /** The CloudEvents `source` of events published here. @default '/' */
  readonly eventSource?: string
}

/** Publishes events, and calls the subscribers of this process with them. */
export interface EventBus<Tx = unknown> {
  /**
   * Adds a subscriber; call it before `start`. A subscriber is a consumer of the log like any
   * other: durable under its name, at least once, retried, and in effect once through
   * `transaction()`.
   */
  subscribe<Data = unknown>(
    types: string | readonly string[],
    name: string,
    handle: (context: ConsumerContext<Tx, Data>) => unknown,
    settings?: Omit<ConsumerSettings, 'name' | 'types'>,
  ): void
  /**
   * Commits an event on its own. If an event belongs to the writes of a request, emit it in that
   * request instead.
   *
   * Throws `event-invalid`, and `commit-failed` if it is unknown whether the event was committed:
   * its reply was lost, and it could not be sent again either. After any other error it was not
   * committed.
   */
  publish(event: EmittedEvent): Promise<void>
  start(): void
  runOnce(): Promise<number>
  stop(options?: { readonly timeoutMs?: number }): Promise<void>
}

/**
 * Publish and subscribe within one app, over a log: a published event survives the process, and is
 * handled by any instance that has the subscriber. `*` subscribes to everything. Throws
 * `OptionsError`.
 *
 * @example
 * ```ts
 * const bus = createEventBus({ log })
 * bus.subscribe('order.created', 'payment', async ({ event, transaction, emit }) => {
 *   …
 *   emit({ type: 'payment.processed', subject: event.subject })
 * })
 * bus.start()
 * ```
 */
export function createEventBus<Tx>(options: EventBusOptions<Tx>): EventBus<Tx> {
  const { eventSource = '/', ...relayOptions } = options
  const consumers: Consumer<Tx>[] = []
  let relay: Relay | undefined

  return {
    subscribe(types, name, handle, settings) {
      if (relay !== undefined) {
        throw new OptionsError(
          `createEventBus: call subscribe("${name}") before start() or runOnce().`,
        )
      }
      const of = [types].flat()
      const everything = of.length === 1 && of[0] === '*'
      consumers.push(
        consumer<Tx>({
          ...settings,
          name,
          handle: handle as (context: ConsumerContext<Tx>) => unknown,
          ...(everything ? {} : { types: of }),
        }),
      )
    },

    async publish(event) {
      const made = outboxEvent(event, { source: eventSource, traceparent: undefined })
      await appendOnce(options.log, made)
      tell('oncekey:appended', () => ({ count: 1 }))
    },

    start() {
      relayOfBus().start()
    },
    runOnce: () => relayOfBus().runOnce(),
    async stop(stopping) {
      if (stopping?.timeoutMs !== undefined) waitedFor('bus.stop: timeoutMs', stopping.timeoutMs, 0)
      await relay?.stop(stopping)
    },
  }

  function relayOfBus(): Relay {
    relay ??= createRelay({ ...relayOptions, consumers })
    return relay
  }
}

/**
 * Appends an event, and sends it again if it is unknown whether it was appended: by its id the log
 * knows that it is the same. An error that comes later does not say what became of the first.
 */
async function appendOnce(log: Pick<EventLog, 'append'>, event: OutboxEvent): Promise<void> {
  const until = performance.now() + SEND_AGAIN_MS
  let unknown: { readonly error: unknown } | undefined
  for (let pauseMs = 50; ; pauseMs *= 2) {
    try {
      return await log.append([event], { requestId: event.id })
    } catch (error) {
      const isUnknown = error instanceof OncekeyError && error.code === 'commit-failed'
      if (isUnknown) unknown ??= { error }
      if (unknown === undefined) throw error
      if (performance.now() + pauseMs > until) throw unknown.error
    }
    await sleep(pauseMs)
  }
}

/** How long an event of unknown outcome is sent again. Milliseconds. */
const SEND_AGAIN_MS = 5_000
