import { OptionsError } from '@oncekey/core'
import { cloudEventAttributes } from './cloud-event.ts'
import type { Consumer } from './consumer.ts'
import type { DeliveredEvent } from './delivered-event.ts'
import { PermanentError } from './permanent-error.ts'
import { type PublisherSettings, publisher } from './publisher.ts'
import { toldByApp } from './told-by-app.ts'

/** What is used of a client of `ioredis`, single or cluster. */
export interface RedisStreamsClient {
  xadd(...args: [key: string, ...args: (string | number)[]]): Promise<unknown>
}

export interface RedisPublisherOptions extends PublisherSettings {
  /** `new Redis(url)` of `ioredis`, which reconnects by itself. */
  readonly client: RedisStreamsClient
  /** The key of the stream, one for all or one for each event. */
  readonly stream: string | ((event: DeliveredEvent) => string)
  /**
   * About how many entries a stream keeps; older ones are trimmed, read or not.
   * @default null, which keeps them all
   */
  readonly maxLength?: number | null
}

/**
 * Publishes events to Redis Streams: one is done when `XADD` is answered. An entry has the attributes
 * of CloudEvents 1.0 as fields `ce_…` (there is no binding for Redis: these are Kafka's names), the data
 * as `data`, and the event's headers as `header_…`. Redis knows no duplicate: who reads does, by `ce_id`.
 * Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * const broker = redisPublisher({ name: 'streams', client: new Redis(), stream: 'shop' })
 * const relay = createRelay({ log, consumers: [broker] })
 * ```
 */
export function redisPublisher<Tx = unknown>({
  client,
  stream,
  maxLength = null,
  ...settings
}: RedisPublisherOptions): Consumer<Tx> {
  check(client, stream, maxLength)
  const trim = maxLength === null ? [] : ['MAXLEN', '~', maxLength]
  return publisher<Tx>(settings, {
    isPermanent,
    prepare(event) {
      const key = keyOf(event, stream)
      return async () => client.xadd(key, ...trim, '*', ...fieldsOf(event))
    },
  })
}

function keyOf(event: DeliveredEvent, stream: RedisPublisherOptions['stream']): string {
  const key = toldByApp('redisPublisher: stream', stream, event)
  if (typeof key === 'string' && key !== '') return key
  throw new PermanentError(
    `redisPublisher: ${JSON.stringify(key)} is no key of a stream (event "${event.type}").`,
  )
}

function fieldsOf(event: DeliveredEvent): string[] {
  const fields = cloudEventAttributes(event).flatMap(([name, value]) => [`ce_${name}`, value])
  const own = Object.entries(event.headers).flatMap(([name, value]) => [`header_${name}`, value])
  return [...fields, ...own, 'data', event.json]
}

/** Something else is kept under the key. What is busy, full, read-only or loading may not be for long. */
function isPermanent(error: unknown): boolean {
  return /^(WRONGTYPE|ERR string exceeds maximum)/.test(String((error as Error | null)?.message))
}

function check(client: unknown, stream: unknown, maxLength: unknown): void {
  if (typeof (client as RedisStreamsClient | null)?.xadd !== 'function') {
    throw wrong('client is missing: write `client: new Redis(url)`, of ioredis')
  }
  if (typeof stream !== 'function' && (typeof stream !== 'string' || stream === '')) {
    throw wrong("stream must be the key of one, such as 'shop', or a function that says it")
  }
  if (maxLength !== null && !(Number.isInteger(maxLength) && Number(maxLength) >= 1)) {
    throw wrong(`maxLength must be a whole number from 1, or null, not ${String(maxLength)}`)
  }
}

function wrong(what: string): OptionsError {
  return new OptionsError(`redisPublisher: ${what}.`)
}
