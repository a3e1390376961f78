import { setImmediate } from 'node:timers/promises'
import { endsWithin, OptionsError, wholeMs } from '@oncekey/core'
import type { Consumer } from './consumer/consumer.ts'
import type { DeliveredEvent } from './consumer/delivered-event.ts'
import { PermanentError } from './consumer/permanent-error.ts'
import { cloudEventAttributes, DATA_CONTENT_TYPE, ownHeaders } from './publishers/cloud-event.ts'
import { destinationFrom } from './publishers/destination-option.ts'
import { MissingDestinationError } from './publishers/missing-destination-error.ts'
import { oneSendEach } from './publishers/one-send-each.ts'
import {
  MISSING_FOR_MS,
  type MissingSettings,
  type PublisherSettings,
  publisher,
} from './publishers/publisher.ts'

/** The part of a `Connection` of `rabbitmq-client` that is used. */
export interface RabbitConnection {
  createPublisher(options: { confirm: true; maxAttempts: 1 }): RabbitChannel
}

export interface RabbitChannel {
  /**
   * Resolves when the broker has confirmed the message. While `isAwaited()` is false, nobody waits
   * for that, and what has not been written need not be.
   */
  send(envelope: RabbitEnvelope, body: Buffer, isAwaited?: () => boolean): Promise<void>
  on(name: 'basic.return', callback: (message: RabbitReturn) => void): unknown
  close(): Promise<void>
}

export interface RabbitEnvelope {
  exchange: string
  routingKey: string
  mandatory: true
  durable: true
  messageId: string
  type: string
  timestamp: number
  contentType: string
  headers: Record<string, string>
}

export interface RabbitReturn {
  messageId?: string
  routingKey: string
  replyText: string
}

export interface RabbitPublisherOptions extends PublisherSettings, MissingSettings {
  /** `new Connection(url)` of `rabbitmq-client`, which reconnects by itself. */
  readonly connection: RabbitConnection
  /** The exchange; `''` is the default exchange, whose routing keys are the names of queues. */
  readonly exchange: string
  /** @default the event's type, such as `order.created` */
  readonly routingKey?: (event: DeliveredEvent) => string
  /**
   * The largest message the broker takes. The broker closes the channel over a larger one, and
   * everything under way is sent again. The error names the broker's limit, which applies from then
   * on until the process ends. Bytes. @default 16_777_216 (RabbitMQ 4; its `max_message_size`)
   */
  readonly maxMessageBytes?: number
}

/**
 * A consumer with `close`, which closes its channel. Call it before the connection's own `close`,
 * which waits for the channel. It never rejects, and waits for at most 3 s; an event that is sent
 * afterwards opens another channel.
 */
export interface RabbitPublisher<Tx = unknown> extends Consumer<Tx> {
  close(): Promise<void>
}

/**
 * Publishes events to RabbitMQ as persistent, mandatory messages. An event is done when the broker
 * has confirmed it. If no queue takes an event, it is retried for `missingForMs`. Messages are
 * CloudEvents 1.0 in binary mode, with `cloudEvents:` headers. `messageId` is the event's id: the
 * broker detects no duplicates, and consumers recognize a redelivery by it. Throws {@link
 * OptionsError}.
 *
 * @example
 * ```ts
 * const rabbit = new Connection('amqp://guest:guest@127.0.0.1')
 * const broker = rabbitmqPublisher({ name: 'rabbit', connection: rabbit, exchange: 'shop' })
 * const relay = createRelay({ log, consumers: [broker] })
 * // at the end: relay.stop(), broker.close(), rabbit.close()
 * ```
 */
export function rabbitmqPublisher<Tx = unknown>({
  connection,
  exchange,
  routingKey = ({ type }) => type,
  maxMessageBytes = 16 * 1024 * 1024,
  missingForMs = MISSING_FOR_MS,
  ...settings
}: RabbitPublisherOptions): RabbitPublisher<Tx> {
  check(connection, exchange, routingKey, maxMessageBytes)
  let mostBytes = maxMessageBytes
  let opened: Opened | undefined
  /** Ends when the channel that was used before is closed, or does not answer. */
  let closing: Promise<unknown> = Promise.resolve()

  async function open(): Promise<Opened> {
    if (opened !== undefined) return opened
    // What the broker read on the earlier channel comes before what is sent again.
    await closing
    opened ??= openedOn(connection)
    return opened
  }

  /** Closes the channel; what is under way on it rejects. Never rejects itself. */
  function close(): Promise<unknown> {
    if (opened === undefined) return closing
    const { channel } = opened
    opened = undefined
    // A client that is not connected rejects after it has waited for the connection, and a broker
    // in alarm does not answer. Then nothing is left to close, or the connection's end does it.
    closing = endsWithin(
      channel.close().catch(() => {}),
      CLOSE_WITHIN_MS,
    )
    return closing
  }

  // A message whose confirm was lost is confirmed on no channel any more.
  const once = oneSendEach(() => void close())

  const consumer = publisher<Tx>(settings, {
    isForOne: false,
    isPermanent,
    isOfDestination,
    missingForMs: wholeMs('rabbitmqPublisher: missingForMs', missingForMs, 0),
    prepare(event) {
      const bytes = Buffer.byteLength(event.json)
      if (bytes > mostBytes) throw tooLarge(event, bytes, mostBytes)
      const envelope = envelopeOf(event, exchange, routingKey)
      const message = messageOf(event.id, envelope.routingKey)
      const publish = async (isAwaited: () => boolean): Promise<void> => {
        const { channel, returned } = await open()
        // The relay may have stopped meanwhile, and another process may be sending the event.
        if (!isAwaited()) throw new Error('Nobody waits for this message any longer.')
        try {
          await channel.send(envelope, Buffer.from(event.json), isAwaited)
          // The broker returns an unroutable message before it confirms it, and the client emits
          // the returned message in the next turn of the event loop.
          await setImmediate()
          const why = returned.get(message)
          if (why !== undefined) throw unroutable(envelope, why)
        } catch (error) {
          mostBytes = Math.min(mostBytes, limitOf(error) ?? mostBytes)
          throw error
        } finally {
          returned.delete(message)
        }
      }
      const to = envelope.routingKey
      // A return does not say which copy of a message it is about, so there is one at a time.
      return { to, send: (_, signal) => once(to, event, signal, publish) }
    },
  })
  return {
    ...consumer,
    async close() {
      await close()
    },
  }
}

interface Opened {
  readonly channel: RabbitChannel
  /**
   * Why the broker has returned a message, by its id and its routing key. A return does not say
   * which copy it is about, and another channel may have another copy.
   */
  readonly returned: Map<string, string>
}

function openedOn(connection: RabbitConnection): Opened {
  const returned = new Map<string, string>()
  // The client tries once, because the relay retries.
  const channel = connection.createPublisher({ confirm: true, maxAttempts: 1 })
  channel.on('basic.return', ({ messageId = '', routingKey, replyText }) => {
    returned.set(messageOf(messageId, routingKey), replyText)
  })
  return { channel, returned }
}

function messageOf(id: string, routingKey: string): string {
  return JSON.stringify([id, routingKey])
}

function envelopeOf(
  event: DeliveredEvent,
  exchange: string,
  routingKey: (event: DeliveredEvent) => string,
): RabbitEnvelope {
  const key = destinationFrom('rabbitmqPublisher: routingKey', routingKey, event)
  if (typeof key !== 'string' || Buffer.byteLength(key) > 255) {
    throw new PermanentError(
      `rabbitmqPublisher: ${JSON.stringify(key)} is not a routing key. Return text of at most 255 bytes.`,
    )
  }
  const headers = Object.fromEntries(ownHeaders(event, /^(cloudEvents[:_]|x-|CC$|BCC$)/i))
  for (const [name, value] of cloudEventAttributes(event)) {
    if (name !== 'datacontenttype') headers[`cloudEvents:${name}`] = value
  }
  return {
    exchange,
    routingKey: key,
    mandatory: true,
    durable: true,
    messageId: event.id,
    // The protocol limits the type to 255 bytes.
    type: Buffer.byteLength(event.type) > 255 ? '' : event.type,
    timestamp: Math.floor(event.occurredAt.getTime() / 1000),
    contentType: DATA_CONTENT_TYPE,
    headers,
  }
}

/**
 * Whether the client refused to write the message because its headers are larger than a frame
 * (`frameMax` of the connection, 8 KB by default). A missing exchange is not permanent: it is
 * missing for every message, and may be created soon.
 */
function isPermanent(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  return name === 'AMQPChannelError' && code === 'CODEC'
}

/**
 * The broker's limit for messages, which is named in the error with which the broker closes the
 * channel over a message that is too large. The client rejects the message that it sent first with
 * that error, whichever message was too large. So all messages are retried, and the one that is too
 * large is recognised by its size.
 */
function limitOf(error: unknown): number | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (code !== 'PRECONDITION_FAILED') return undefined
  const [, limit] = /message size \d+ .*max(?:imum)? size (\d+)/.exec(String(message)) ?? []
  return limit === undefined ? undefined : Number(limit)
}

/**
 * Whether a queue behind this routing key refused the message because the queue is full. Such a
 * refusal shows that the broker itself is up.
 */
function isOfDestination(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'NACK'
}

function unroutable({ exchange, routingKey }: RabbitEnvelope, why: string): Error {
  return new MissingDestinationError(
    `No queue took it from exchange "${exchange}" with routing key "${routingKey}": ${why}.`,
  )
}

function tooLarge(event: DeliveredEvent, bytes: number, most: number): PermanentError {
  return new PermanentError(
    `Event "${event.type}" has ${bytes} bytes of data, more than maxMessageBytes or the broker's own limit, ${most}.`,
  )
}

function check(connection: unknown, exchange: unknown, routingKey: unknown, bytes: number): void {
  const { createPublisher } = (connection ?? {}) as Partial<RabbitConnection>
  if (typeof createPublisher !== 'function') {
    throw wrong(
      'connection is missing. Write `connection: new Connection(url)`, of rabbitmq-client',
    )
  }
  if (typeof exchange !== 'string' || Buffer.byteLength(exchange) > 255) {
    throw wrong("exchange must be an exchange name, such as 'shop', or '' for the default exchange")
  }
  if (typeof routingKey !== 'function') {
    throw wrong('routingKey must be a function, such as `(event) => event.type`')
  }
  if (!(Number.isInteger(bytes) && bytes >= 1)) {
    throw wrong(`maxMessageBytes must be a whole number from 1, not ${String(bytes)}`)
  }
}

/** How long `close` waits for the broker. */
const CLOSE_WITHIN_MS = 3_000

function wrong(what: string): OptionsError {
  return new OptionsError(`rabbitmqPublisher: ${what}.`)
}
