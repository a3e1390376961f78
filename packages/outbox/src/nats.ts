import { headers, type MsgHdrs } from '@nats-io/transport-node'
import { OptionsError } from '@oncekey/core'
import { cloudEventAttributes, ownHeaders } from './cloud-event.ts'
import type { Consumer } from './consumer.ts'
import type { DeliveredEvent } from './delivered-event.ts'
import { PermanentError } from './permanent-error.ts'
import { type PublisherSettings, publisher } from './publisher.ts'
import { toldByApp } from './told-by-app.ts'

/** What is used of `jetstream(connection)` of `@nats-io/jetstream`. */
export interface NatsJetStream {
  publish(
    subject: string,
    data: string,
    options: { msgID: string; timeout: number; headers: MsgHdrs },
  ): Promise<{ readonly stream: string; readonly seq: number; readonly duplicate: boolean }>
  jetstreamManager(checkAPI: boolean): Promise<{
    readonly streams: {
      find(subject: string): Promise<string>
      getMessage(
        stream: string,
        query: { seq: number },
      ): Promise<{ readonly subject: string } | null>
    }
  }>
}

export interface NatsPublisherOptions extends PublisherSettings {
  /** `jetstream(connection)`; let the connection reconnect for ever: `maxReconnectAttempts: -1`. */
  readonly jetstream: NatsJetStream
  /**
   * The subject an event is published on. Streams that take it are yours to make.
   * @default its type, such as `order.created`
   */
  readonly subject?: (event: DeliveredEvent) => string
}

/**
 * Publishes events to NATS JetStream: one is done when a stream has acknowledged it. The `Nats-Msg-Id`
 * is the publisher's name and the event's id, so that the stream drops what this publisher sends again
 * within its `duplicate_window` (2 minutes unless it says otherwise), and nothing that another one
 * sends of the same event. The event's id alone is the header `ce-id`. Messages are CloudEvents 1.0 in binary mode, with `ce-` headers.
 * Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * const connection = await connect({ servers: 'nats://127.0.0.1', maxReconnectAttempts: -1 })
 * const broker = natsPublisher({
 *   name: 'nats',
 *   jetstream: jetstream(connection),
 *   subject: (event) => `shop.${event.type}`,
 * })
 * const relay = createRelay({ log, consumers: [broker] })
 * ```
 */
export function natsPublisher<Tx = unknown>({
  jetstream,
  subject = ({ type }) => type,
  ...settings
}: NatsPublisherOptions): Consumer<Tx> {
  if (typeof jetstream?.publish !== 'function') {
    throw new OptionsError(
      'natsPublisher: jetstream is missing: write `jetstream: jetstream(connection)`, of @nats-io/jetstream.',
    )
  }
  if (typeof subject !== 'function') {
    throw new OptionsError(
      'natsPublisher: subject must be a function, such as `(event) => event.type`.',
    )
  }
  return publisher<Tx>(settings, {
    isPermanent,
    prepare(event) {
      const on = subjectOf(event, subject)
      const msgID = `${settings.name}:${event.id}`
      const headers = headersOf(event)
      return async (timeout) => {
        try {
          const options = { msgID, timeout, headers }
          const { stream, seq, duplicate } = await jetstream.publish(on, event.json, options)
          if (duplicate) await expectOurs(jetstream, stream, seq, on)
        } catch (error) {
          if (isUnheard(error)) await expectStream(jetstream, on, error)
          throw error
        }
      }
    },
  })
}

function subjectOf(event: DeliveredEvent, subject: (event: DeliveredEvent) => string): string {
  const on = toldByApp('natsPublisher: subject', subject, event)
  // Wildcards are for subscribers, and white space would end the subject on the wire.
  if (typeof on === 'string' && /^[^\s.*>]+(\.[^\s.*>]+)*$/.test(on)) return on
  throw new PermanentError(
    `natsPublisher: ${JSON.stringify(on)} is no subject to publish on (event "${event.type}").`,
  )
}

function headersOf(event: DeliveredEvent): MsgHdrs {
  const made = headers()
  for (const [name, value] of ownHeaders(event, /^(ce|nats)-/i)) made.append(name, value)
  for (const [name, value] of cloudEventAttributes(event)) made.set(`ce-${name}`, encoded(value))
  return made
}

/** As the binding has it: space, quote, percent and all that is not printable ASCII. */
function encoded(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]+/g, (text) =>
    [...Buffer.from(text)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  )
}

/**
 * Nobody took the subject: there is no such stream, or it has no leader just now. Only the first is
 * for good, and the server tells; one that does not answer has not.
 */
async function expectStream(
  jetstream: NatsJetStream,
  subject: string,
  cause: unknown,
): Promise<void> {
  const { streams } = await jetstream.jetstreamManager(false)
  try {
    await streams.find(subject)
  } catch (error) {
    if ((error as Error | null)?.name !== 'StreamNotFoundError') throw error
    throw new PermanentError(`No stream takes the subject "${subject}".`, { cause })
  }
}

/**
 * The stream dropped it as sent before. It was, if what it kept is on the same subject; if not, two
 * publishers have one name, and this one's message is lost where nobody would miss it.
 */
async function expectOurs(
  jetstream: NatsJetStream,
  stream: string,
  seq: number,
  subject: string,
): Promise<void> {
  const { streams } = await jetstream.jetstreamManager(false)
  const kept = await streams.getMessage(stream, { seq })
  // What was taken from the stream meanwhile had arrived there.
  if (kept === null || kept.subject === subject) return
  throw new PermanentError(
    `The stream "${stream}" has this event from another publisher of the same name, on subject ` +
      `"${kept.subject}", and dropped what was for "${subject}". Give each publisher a name of its own.`,
  )
}

function isUnheard(error: unknown): boolean {
  return (error as Error | null)?.name === 'JetStreamNotEnabled'
}

/** By name: two copies of the client have two classes. */
function isPermanent(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  return (
    ABOUT_THE_MESSAGE.has(String(name)) ||
    (name === 'JetStreamApiError' && REFUSALS.has(Number(code)))
  )
}

/** What the client does not send at all: over `max_payload`, a header that is none. */
const ABOUT_THE_MESSAGE = new Set(['InvalidArgumentError', 'InvalidSubjectError'])

/** Larger than the stream takes; headers larger than 64 KiB; a stream that is sealed. */
const REFUSALS = new Set([10054, 10097, 10109])
