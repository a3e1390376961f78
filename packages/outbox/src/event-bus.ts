import { type EmittedEvent, OptionsError, outboxEvent, tell } from '@oncekey/core'
import { type Consumer, type ConsumerContext, type ConsumerSettings, consumer } from './consumer.ts'
import { createRelay, type Relay } from './relay.ts'
import type { RelayOptions } from './relay-options.ts'

export interface EventBusOptions<Tx> extends Omit<RelayOptions<Tx>, 'consumers'> {
  /** CloudEvents `source` of what is published here. @default '/' */
  readonly eventSource?: string
}

/** Publishes events, and calls the subscribers of this process with them. */
export interface EventBus<Tx = unknown> {
  /**
   * Adds a subscriber, before `start`. It is a consumer of the log like any other: durable under its
   * name, at least once, retried, and with `transaction()` in effect once.
   */
  subscribe<Data = unknown>(
    types: string | readonly string[],
    name: string,
    handle: (context: ConsumerContext<Tx, Data>) => unknown,
    settings?: Omit<ConsumerSettings, 'name' | 'types'>,
  ): void
  /** Commits an event by itself. One that belongs to a request's writes is emitted there. */
  publish(event: EmittedEvent): Promise<void>
  start(): void
  runOnce(): Promise<number>
  stop(options?: { readonly timeoutMs?: number }): Promise<void>
}

/**
 * In-process publish and subscribe over a log, so that what was published is neither lost with the
 * process nor handled by one instance only because it happened to be there. `*` subscribes to
 * everything. Throws `OptionsError`.
 *
 * @example
 * ```ts
 * const bus = eventBus({ log })
 * bus.subscribe('order.created', 'payment', async ({ event, transaction, emit }) => {
 *   …
 *   emit({ type: 'payment.processed', subject: event.subject })
 * })
 * bus.start()
 * ```
 */
export function eventBus<Tx>(options: EventBusOptions<Tx>): EventBus<Tx> {
  const { eventSource = '/', ...relayOptions } = options
  const consumers: Consumer<Tx>[] = []
  let relay: Relay | undefined

  return {
    subscribe(types, name, handle, settings) {
      if (relay !== undefined) {
        throw new OptionsError(`eventBus: subscribe "${name}" before start() or runOnce().`)
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
      await options.log.append([
        outboxEvent(event, { source: eventSource, traceparent: undefined }),
      ])
      tell('oncekey:appended', () => ({ count: 1 }))
    },

    start() {
      ours().start()
    },
    runOnce: () => ours().runOnce(),
    async stop(stopping) {
      await relay?.stop(stopping)
    },
  }

  function ours(): Relay {
    relay ??= createRelay({ ...relayOptions, consumers })
    return relay
  }
}
