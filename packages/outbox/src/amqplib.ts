import { endsWithin, OptionsError, within } from '@oncekey/core'
import { PermanentError } from './consumer/permanent-error.ts'
import { ownFailure } from './publishers/own-failure.ts'
import type { RabbitChannel, RabbitConnection, RabbitEnvelope, RabbitReturn } from './rabbitmq.ts'

/** The part of a `ChannelModel` of `amqplib` that is used. */
export interface AmqpConnection {
  createConfirmChannel(): Promise<AmqpChannel>
  on(event: 'error' | 'close', listener: (error?: Error) => void): unknown
  close(): Promise<void>
  /** The values agreed with the broker, such as `frameMax` in bytes. amqplib's types omit them. */
  readonly connection: object
}

export interface AmqpChannel {
  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    options: object,
    confirmed: (error: unknown) => void,
  ): boolean
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'close', listener: () => void): unknown
  on(event: 'return', listener: (message: AmqpReturned) => void): unknown
}

export interface AmqpReturned {
  fields: object
  properties: { messageId?: string | undefined }
}

/**
 * A connection of `amqplib` for `rabbitmqPublisher`. `amqplib` does not reconnect by itself, so
 * `connect` is called for the first event, and again for the first event after a lost connection.
 * The connection belongs to the publisher, whose `close` closes it. Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * import { connect } from 'amqplib'
 *
 * const connection = amqplibConnection(() => connect('amqp://guest:guest@127.0.0.1'))
 * const broker = rabbitmqPublisher({ name: 'rabbit', connection, exchange: 'shop' })
 * // at the end: relay.stop(), broker.close()
 * ```
 */
export function amqplibConnection(connect: () => Promise<AmqpConnection>): RabbitConnection {
  if (typeof connect !== 'function') {
    throw new OptionsError(
      'amqplibConnection takes a function. Write `amqplibConnection(() => connect(url))`, with ' +
        '`connect` of amqplib.',
    )
  }
  return { createPublisher: () => publisherChannel(connect) }
}

interface Opened {
  readonly connection: AmqpConnection
  readonly channel: AmqpChannel
  /** Why the broker has closed the channel, once it has. */
  refusal: Error | undefined
}

function publisherChannel(connect: () => Promise<AmqpConnection>): RabbitChannel {
  const listeners: ((message: RabbitReturn) => void)[] = []
  let opening: Promise<Opened> | undefined

  /** Returns the open channel, or opens one. Sends that arrive while it opens share it. */
  function opened(): Promise<Opened> {
    if (opening !== undefined) return opening
    const asked = open()
    const mine = within(OPEN_WITHIN_MS, asked, () => ownFailure('The broker does not answer.'))
    opening = mine
    mine.then(
      ({ channel }) => channel.on('close', () => forget(mine)),
      () => {
        forget(mine)
        // The connection may still open later, when nobody waits for it; it is then closed.
        asked.then(({ connection }) => ended(connection)).catch(() => {})
      },
    )
    return mine
  }

  /** Has the next send open another channel, unless that has happened. */
  function forget(mine: Promise<Opened>): void {
    if (opening === mine) opening = undefined
  }

  async function open(): Promise<Opened> {
    const connection = await connect()
    // An error closes the connection, and the messages under way are rejected. Without a listener
    // the error would end the process.
    connection.on('error', () => {})
    const channel = await connection.createConfirmChannel().catch((error) => {
      void ended(connection)
      throw error
    })
    const result: Opened = { connection, channel, refusal: undefined }
    channel.on('error', (error) => {
      result.refusal = named(error)
    })
    channel.on('return', ({ fields, properties: { messageId } }) => {
      const { replyText, routingKey } = fields as { replyText: string; routingKey: string }
      for (const listener of listeners) {
        listener({ ...(messageId !== undefined && { messageId }), routingKey, replyText })
      }
    })
    channel.on('close', () => void ended(connection))
    return result
  }

  return {
    async send(envelope, body, isAwaited) {
      const mine = opened()
      const to = await mine
      // The relay may have stopped meanwhile, and another process may be sending the event.
      if (isAwaited?.() === false) throw new Error('Nobody waits for this message any longer.')
      await published(to, envelope, body, () => forget(mine))
    },
    on: (_, listener) => listeners.push(listener),
    async close() {
      const closing = opening
      opening = undefined
      // If it is still opening, it is closed when it has opened, and rejects if it never does.
      await closing?.then(({ connection }) => ended(connection)).catch(() => {})
    },
  }
}

/** Closes a connection, or breaks it off if the broker does not answer. Never rejects. */
async function ended(connection: AmqpConnection): Promise<void> {
  const closed = connection.close().catch(() => {})
  if (await endsWithin(closed, END_WITHIN_MS, { unref: true })) return
  const { stream } = connection.connection as { readonly stream?: { destroy?(error: Error): void } }
  // The client listens for errors: without one it would neither reject what is under way nor stop
  // its heartbeats.
  stream?.destroy?.(new Error('The broker does not answer.'))
}

/**
 * Sends a message. Resolves when the broker has confirmed it. Calls `abandon` if the channel is of
 * no use any longer.
 */
function published(
  to: Opened,
  envelope: RabbitEnvelope,
  body: Buffer,
  abandon: () => void,
): Promise<void> {
  const { exchange, routingKey, durable, ...properties } = envelope
  const options = { ...properties, persistent: durable }
  refuseLargeHeaders(to.connection, envelope)
  return new Promise((resolve, reject) => {
    const confirmed = (error: unknown): void => {
      if (error === null || error === undefined) resolve()
      else if (/nack/i.test(String(error))) reject(withCode('NACK', String(error)))
      else reject(to.refusal ?? error)
    }
    try {
      to.channel.publish(exchange, routingKey, body, options, confirmed)
    } catch (error) {
      // Before version 2, the client counts this message although it was not sent, and would take
      // the confirmation of each later message for that of the message before. So the connection is
      // closed. The channel may also have been closed while nobody listened to it yet.
      abandon()
      void ended(to.connection)
      reject(unencodable(error))
    }
  })
}

/**
 * Refuses a message whose headers are larger than a frame. The client would write them, and the
 * broker would close the connection over them, with everything that is under way.
 */
function refuseLargeHeaders({ connection }: AmqpConnection, envelope: RabbitEnvelope): void {
  const { frameMax = 0 } = connection as { readonly frameMax?: number }
  const texts = [...Object.entries(envelope.headers), [envelope.messageId, envelope.type]].flat()
  // The constants cover the texts' lengths and types, the other properties, and the frame itself.
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 5, 200)
  if (frameMax === 0 || bytes <= frameMax) return
  throw new PermanentError(
    `The message's headers take some ${bytes} bytes, more than a frame of ${frameMax}: raise frameMax of the connection.`,
  )
}

/**
 * Makes an error of writing permanent: a field is longer than the protocol allows, or the headers
 * overflow the client's buffer.
 */
function unencodable(error: unknown): unknown {
  if (!(error instanceof RangeError || error instanceof TypeError)) return error
  return new PermanentError(`The message cannot be written: ${error.message}`)
}

/**
 * Gives the broker's error a code, which is the protocol's name for it: `404 (NOT-FOUND)` gets
 * `NOT_FOUND`.
 */
function named({ message }: Error): Error {
  const [, name = ''] = /\d{3} \(([A-Z-]+)\)/.exec(message) ?? []
  return withCode(name.replaceAll('-', '_'), message)
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

const OPEN_WITHIN_MS = 30_000
/** How long a connection that closes waits for the broker. */
const END_WITHIN_MS = 2_000
