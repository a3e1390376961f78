import { OptionsError, within } from '@oncekey/core'
import type { Consumer } from './consumer/consumer.ts'
import type { DeliveredEvent } from './consumer/delivered-event.ts'
import { PermanentError } from './consumer/permanent-error.ts'
import { cloudEventAttributes } from './publishers/cloud-event.ts'
import { destinationFrom } from './publishers/destination-option.ts'
import { oneSendEach } from './publishers/one-send-each.ts'
import { ownFailure } from './publishers/own-failure.ts'
import { MISSING_FOR_MS, type PublisherSettings, publisher } from './publishers/publisher.ts'

/** The part of an `ioredis` client, single or cluster, that is used. */
export interface RedisStreamsClient {
  xadd(...args: [key: string, ...args: (string | number)[]]): Promise<unknown>
  /** Whether it is connected: `ready`, `reconnecting`, … */
  readonly status?: string
  once?(event: 'ready' | 'end', listener: () => void): unknown
  off?(event: 'ready' | 'end', listener: () => void): unknown
}

export interface RedisPublisherOptions extends PublisherSettings {
  /**
   * `new Redis(url, { reconnectOnError })` of `ioredis`. It reconnects by itself, and with that
   * option it also leaves a primary that was demoted.
   */
  readonly client: RedisStreamsClient
  /** The key of the stream: one for all events, or a function of the event. */
  readonly stream: string | ((event: DeliveredEvent) => string)
  /**
   * About how many entries a stream keeps. Older ones are trimmed whether they were read or not.
   * @default null, which keeps them all
   */
  readonly maxLength?: number | null
}

/**
 * Publishes events to Redis Streams. An event is done when Redis has replied to `XADD`. An entry
 * has the attributes of CloudEvents 1.0 as fields `ce_…`, the data as `data`, and the event's
 * headers as `header_…`. (CloudEvents has no binding for Redis, so the names are those for Kafka.)
 * Redis detects no duplicates; readers recognise a redelivery by `ce_id`. Throws {@link
 * OptionsError}.
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
  const connected = connectionOf(client)
  async function added(...args: Parameters<RedisStreamsClient['xadd']>): Promise<unknown> {
    try {
      return await client.xadd(...args)
    } catch (error) {
      throw withAdvice(error)
    }
  }
  const once = oneSendEach()
  return publisher<Tx>(settings, {
    isForOne: typeof stream === 'string',
    isPermanent,
    isOfDestination,
    missingForMs: MISSING_FOR_MS,
    prepare(event) {
      const to = keyOf(event, stream)
      return {
        to,
        async send(timeoutMs, signal) {
          // Below the attempt's timeout: what was given up is not sent later.
          await connected(timeoutMs * 0.9, signal)
          await once(to, event, signal, () => added(to, ...trim, '*', ...fieldsOf(event)))
        },
      }
    },
  })
}

/**
 * Waits for a client that is reconnecting. Such a client keeps the commands that it is given, by
 * default until it has failed twenty times, and with `maxRetriesPerRequest: null` for ever. An
 * event would be in there once for each time that it was tried, and be sent as often.
 */
function connectionOf(
  client: RedisStreamsClient,
): (withinMs: number, signal: AbortSignal) => Promise<void> {
  let waiting: Promise<void> | undefined

  function wait(): Promise<void> {
    return new Promise((resolve) => {
      const over = (): void => {
        client.off?.('ready', over)
        client.off?.('end', over)
        waiting = undefined
        resolve()
      }
      client.once?.('ready', over)
      client.once?.('end', over)
    })
  }

  return async (withinMs, signal) => {
    const { status, once } = client
    if (status === undefined || once === undefined || !IS_CONNECTING.has(status)) return
    waiting ??= wait()
    const notYet = () => ownFailure(`The client is not connected to Redis, but "${status}".`)
    await within(withinMs, waiting, notYet, signal)
    // It may have aborted just after the client was there.
    signal.throwIfAborted()
  }
}

/** In other states a command is sent, connects the client, or fails at once. */
const IS_CONNECTING = new Set(['connecting', 'connect', 'close', 'reconnecting', 'disconnecting'])

function keyOf(event: DeliveredEvent, stream: RedisPublisherOptions['stream']): string {
  const key = destinationFrom('redisPublisher: stream', stream, event)
  if (typeof key === 'string' && key !== '') return key
  throw new PermanentError(
    `redisPublisher: ${JSON.stringify(key)} is not the key of a stream (event "${event.type}").`,
  )
}

function fieldsOf(event: DeliveredEvent): string[] {
  const fields = cloudEventAttributes(event).flatMap(([name, value]) => [`ce_${name}`, value])
  const own = Object.entries(event.headers).flatMap(([name, value]) => [`header_${name}`, value])
  return [...fields, ...own, 'data', event.json]
}

/** A client stays connected to a primary that was demoted, unless it has an option for that. */
function withAdvice(error: unknown): unknown {
  const text = String((error as Error | null)?.message)
  if (!text.startsWith('READONLY')) return error
  return new Error(
    `${text} If that was the primary, give the client of ioredis \`reconnectOnError\` or, with ` +
      'Sentinel, `failoverDetector`: see "Redis Streams" in docs/publishers.md.',
    { cause: error },
  )
}

/**
 * Whether the key holds something other than a stream, or the entry is too large. A Redis that is
 * busy, full, read-only or loading may recover, so those errors are retried.
 */
function isPermanent(error: unknown): boolean {
  return /^(WRONGTYPE|ERR string exceeds maximum)/.test(String((error as Error | null)?.message))
}

/** Whether the user has no permission to write to this key. Other keys may be allowed. */
function isOfDestination(error: unknown): boolean {
  return /^NOPERM.*\bkeys?\b/.test(String((error as Error | null)?.message))
}

function check(client: unknown, stream: unknown, maxLength: unknown): void {
  if (typeof (client as RedisStreamsClient | null)?.xadd !== 'function') {
    throw wrong('client is missing. Write `client: new Redis(url)`, of ioredis')
  }
  if (typeof stream !== 'function' && (typeof stream !== 'string' || stream === '')) {
    throw wrong(
      "stream must be the key of a stream, such as 'shop', or a function that returns one",
    )
  }
  if (maxLength !== null && !(Number.isInteger(maxLength) && Number(maxLength) >= 1)) {
    throw wrong(`maxLength must be a whole number from 1, or null, not ${String(maxLength)}`)
  }
}

function wrong(what: string): OptionsError {
  return new OptionsError(`redisPublisher: ${what}.`)
}
