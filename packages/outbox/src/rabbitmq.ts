import { setImmediate } from 'node:timers/promises'
import { OptionsError } from '@oncekey/core'
import { cloudEventAttributes, DATA_CONTENT_TYPE, ownHeaders } from './cloud-event.ts'
import type { Consumer } from './consumer.ts'
import type { DeliveredEvent } from './delivered-event.ts'
import { PermanentError } from './permanent-error.ts'
import { type PublisherSettings, publisher } from './publisher.ts'
import { toldByApp } from './told-by-app.ts'

/** What is used of a `Connection` of `rabbitmq-client`. */
export interface RabbitConnection {
  createPublisher(options: { confirm: true; maxAttempts: 1 }): RabbitChannel
}

export interface RabbitChannel {
  send(envelope: RabbitEnvelope, body: Buffer): Promise<void>
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
  replyText: string
}

export interface RabbitPublisherOptions extends PublisherSettings {
  /** `new Connection(url)` of `rabbitmq-client`, which reconnects by itself. */
  readonly connection: RabbitConnection
  /** Where to publish; `''` is the default exchange, whose routing keys are names of queues. */
  readonly exchange: string
  /** @default the event's type, such as `order.created` */
  readonly routingKey?: (event: DeliveredEvent) => string
  /**
   * The largest message the broker takes. To find out by sending it would end the channel, and with it
   * all that is under way. Bytes. @default 16_777_216 (RabbitMQ 4; its `max_message_size`)
   */
  readonly maxMessageBytes?: number
}

/** Its channel is closed by `close`; a connection that is closed first waits for that. */
export interface RabbitPublisher<Tx = unknown> extends Consumer<Tx> {
  close(): Promise<void>
}

/**
 * Publishes events to RabbitMQ, persistent and mandatory: one is done when the broker has confirmed it,
 * and dead if no queue took it. Messages are CloudEvents 1.0 in binary mode, with `cloudEvents:` headers;
 * `messageId` is the event's id, by which whoever consumes knows what comes again: the broker does not.
 * Throws {@link OptionsError}.
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
  ...settings
}: RabbitPublisherOptions): RabbitPublisher<Tx> {
  check(connection, exchange, routingKey, maxMessageBytes)
  const returned = new Map<string, string>()
  let channel: RabbitChannel | undefined
  const open = (): RabbitChannel => {
    if (channel !== undefined) return channel
    // Tries are the relay's.
    channel = connection.createPublisher({ confirm: true, maxAttempts: 1 })
    channel.on('basic.return', ({ messageId, replyText }) => {
      if (messageId !== undefined) returned.set(messageId, replyText)
    })
    return channel
  }

  const consumer = publisher<Tx>(settings, {
    isPermanent,
    prepare(event) {
      const bytes = Buffer.byteLength(event.json)
      if (bytes > maxMessageBytes) throw tooLarge(event, bytes, maxMessageBytes)
      const envelope = envelopeOf(event, exchange, routingKey)
      return async () => {
        try {
          await open().send(envelope, Buffer.from(event.json))
          // What no queue took is returned first and confirmed then; the client tells in the next turn.
          await setImmediate()
          const why = returned.get(event.id)
          if (why !== undefined) throw unroutable(envelope, why)
        } finally {
          returned.delete(event.id)
        }
      }
    },
  })
  return { ...consumer, close: async () => channel?.close() }
}

function envelopeOf(
  event: DeliveredEvent,
  exchange: string,
  routingKey: (event: DeliveredEvent) => string,
): RabbitEnvelope {
  const key = toldByApp('rabbitmqPublisher: routingKey', routingKey, event)
  if (typeof key !== 'string' || Buffer.byteLength(key) > 255) {
    throw new PermanentError(
      `rabbitmqPublisher: ${JSON.stringify(key)} is no routing key: text of at most 255 bytes.`,
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
    // A short string of the protocol.
    type: Buffer.byteLength(event.type) > 255 ? '' : event.type,
    timestamp: Math.floor(event.occurredAt.getTime() / 1000),
    contentType: DATA_CONTENT_TYPE,
    headers,
  }
}

/**
 * What is about the message. `NOT_FOUND`: there is one exchange, so it is not somebody else's that is
 * missing. `CODEC`: the client refused to write it, because its headers are larger than a frame
 * (`frameMax` of the connection, 8 KB unless it says otherwise).
 */
function isPermanent(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  return name === 'AMQPChannelError' && ABOUT_THE_MESSAGE.has(String(code))
}

const ABOUT_THE_MESSAGE = new Set(['NOT_FOUND', 'CODEC'])

function unroutable({ exchange, routingKey }: RabbitEnvelope, why: string): PermanentError {
  return new PermanentError(
    `No queue took it from exchange "${exchange}" with routing key "${routingKey}": ${why}.`,
  )
}

function tooLarge(event: DeliveredEvent, bytes: number, most: number): PermanentError {
  return new PermanentError(
    `Event "${event.type}" has ${bytes} bytes of data, more than maxMessageBytes, ${most}.`,
  )
}

function check(connection: unknown, exchange: unknown, routingKey: unknown, bytes: number): void {
  const { createPublisher } = (connection ?? {}) as Partial<RabbitConnection>
  if (typeof createPublisher !== 'function') {
    throw wrong(
      'connection is missing: write `connection: new Connection(url)`, of rabbitmq-client',
    )
  }
  if (typeof exchange !== 'string' || Buffer.byteLength(exchange) > 255) {
    throw wrong("exchange must be the name of one, such as 'shop', or '' for the default exchange")
  }
  if (typeof routingKey !== 'function') {
    throw wrong('routingKey must be a function, such as `(event) => event.type`')
  }
  if (!(Number.isInteger(bytes) && bytes >= 1)) {
    throw wrong(`maxMessageBytes must be a whole number from 1, not ${String(bytes)}`)
  }
}

function wrong(what: string): OptionsError {
  return new OptionsError(`rabbitmqPublisher: ${what}.`)
}
