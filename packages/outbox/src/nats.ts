import { headers, type MsgHdrs } from '@nats-io/transport-node'
import { OptionsError, wholeMs } from '@oncekey/core'
import type { Consumer } from './consumer/consumer.ts'
import type { DeliveredEvent } from './consumer/delivered-event.ts'
import { PermanentError } from './consumer/permanent-error.ts'
import { cloudEventAttributes, ownHeaders } from './publishers/cloud-event.ts'
import { destinationFrom } from './publishers/destination-option.ts'
import { MissingDestinationError } from './publishers/missing-destination-error.ts'
import {
  MISSING_FOR_MS,
  type MissingSettings,
  type PublisherSettings,
  publisher,
} from './publishers/publisher.ts'

/** The part of `jetstream(connection)` of `@nats-io/jetstream` that is used. */
export interface NatsJetStream {
  publish(
    subject: string,
    data: string,
    options: { msgID: string; timeout: number; headers: MsgHdrs },
  ): Promise<{ readonly stream: string; readonly seq: number; readonly duplicate: boolean }>
  jetstreamManager(checkAPI: boolean): Promise<{
    readonly streams: {
      find(subject: string): Promise<string>
      info(stream: string): Promise<{ readonly config: { readonly retention: string } }>
    }
  }>
}

export interface NatsPublisherOptions extends PublisherSettings, MissingSettings {
  /**
   * `jetstream(connection)`. Let the connection reconnect without a limit: `maxReconnectAttempts:
   * -1`.
   */
  readonly jetstream: NatsJetStream
  /**
   * The subject on which an event is published. You create the streams that store it.
   * @default the event's type, such as `order.created`
   */
  readonly subject?: (event: DeliveredEvent) => string
}

/**
 * Publishes events to NATS JetStream. An event is done when a stream has acknowledged it. The
 * `Nats-Msg-Id` consists of the publisher's name, the event's id and the subject. By it, a stream
 * drops what this publisher sends a second time within the stream's `duplicate_window` (2 minutes
 * by default), and keeps what another publisher sends of the same event. The header `ce-id` is the
 * event's id alone. Messages are CloudEvents 1.0 in binary mode, with `ce-` headers. Throws {@link
 * OptionsError}.
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
  missingForMs = MISSING_FOR_MS,
  ...settings
}: NatsPublisherOptions): Consumer<Tx> {
  if (typeof jetstream?.publish !== 'function') {
    throw new OptionsError(
      'natsPublisher: jetstream is missing. Write `jetstream: jetstream(connection)`, of @nats-io/jetstream.',
    )
  }
  if (typeof subject !== 'function') {
    throw new OptionsError(
      'natsPublisher: subject must be a function, such as `(event) => event.type`.',
    )
  }
  return publisher<Tx>(settings, {
    isForOne: false,
    isPermanent,
    isOfDestination,
    missingForMs: wholeMs('natsPublisher: missingForMs', missingForMs, 0),
    prepare(event) {
      const to = subjectOf(event, subject)
      const msgID = `${settings.name}:${event.id}:${to}`
      const headers = headersOf(event)
      const send = async (timeout: number): Promise<void> => {
        try {
          const options = { msgID, timeout, headers }
          const reply = await jetstream.publish(to, event.json, options)
          if (!isAcknowledgement(reply)) throw notOfAStream(to)
          if (reply.seq === 0) await expectNoInterest(jetstream, reply.stream)
        } catch (error) {
          if (isNoResponder(error)) await expectStream(jetstream, to, error)
          throw error
        }
      }
      return { to, send }
    },
  })
}

function subjectOf(event: DeliveredEvent, subject: (event: DeliveredEvent) => string): string {
  const on = destinationFrom('natsPublisher: subject', subject, event)
  // Wildcards are for subscribers only, and white space would end the subject in the protocol.
  if (typeof on === 'string' && /^[^\s.*>]+(\.[^\s.*>]+)*$/.test(on)) return on
  throw new PermanentError(
    `natsPublisher: ${JSON.stringify(on)} is not a subject to publish on (event "${event.type}").`,
  )
}

function headersOf(event: DeliveredEvent): MsgHdrs {
  const made = headers()
  for (const [name, value] of ownHeaders(event, /^(ce|nats)-/i)) made.append(name, value)
  for (const [name, value] of cloudEventAttributes(event)) made.set(`ce-${name}`, encoded(value))
  return made
}

/**
 * Percent-encodes space, quote, percent and everything that is not printable ASCII, as the
 * CloudEvents binding requires.
 */
function encoded(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]+/g, (text) =>
    [...Buffer.from(text)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  )
}

/**
 * Whether a stream has replied. Whoever subscribes to the subject may reply first, and the client
 * takes any JSON object for an acknowledgement. A duplicate may have the number 0: see {@link
 * expectNoInterest}.
 */
function isAcknowledgement(reply: Readonly<Record<'stream' | 'seq' | 'duplicate', unknown>>) {
  const { stream, seq, duplicate } = reply
  const least = duplicate === true ? 0 : 1
  return (
    typeof stream === 'string' && stream !== '' && Number.isInteger(seq) && Number(seq) >= least
  )
}

function notOfAStream(subject: string): Error {
  return new Error(
    `A subscriber of "${subject}" has replied, and not a stream, so it is unknown whether a stream ` +
      'stored the message. Let no service reply on this subject, or publish on another one.',
  )
}

/**
 * Called when a stream replied that it has had the message, with the number 0. It did so if it has
 * the retention `interest` and nobody is interested. With another retention it is the leader of a
 * cluster that has the message, while its followers do not: if it loses its place, so is the
 * message, and it has to be sent again. Rejects unless the stream is known to be of the first kind.
 */
async function expectNoInterest(jetstream: NatsJetStream, stream: string): Promise<void> {
  const uncertain = (why: string, cause?: unknown) =>
    new Error(`The stream "${stream}" has a message that its cluster may lose again: ${why}.`, {
      cause,
    })
  let retention: string
  try {
    const { streams } = await jetstream.jetstreamManager(false)
    const { config } = await streams.info(stream)
    retention = config.retention
  } catch (error) {
    throw uncertain('the stream cannot be asked', error)
  }
  if (retention !== 'interest') throw uncertain('it is not confirmed yet')
}

/**
 * Called when no stream replied on the subject: either no stream stores that subject, or its stream
 * has no leader at the moment. Asks the server which it is. Rejects with the server's own error if
 * the question fails too, except for want of the right to ask it.
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
    if (isForbidden(error)) throw cause
    if ((error as Error | null)?.name !== 'StreamNotFoundError') throw error
    throw new MissingDestinationError(`No stream takes the subject "${subject}".`, { cause })
  }
}

function isNoResponder(error: unknown): boolean {
  return (error as Error | null)?.name === 'JetStreamNotEnabled'
}

/** Whether the user may not publish on the subject of the message, or of a question. */
function isForbidden(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as { name?: unknown; cause?: unknown }
  return name === 'PermissionViolationError' || (cause !== undefined && isForbidden(cause))
}

/** Compares names instead of classes, because a process may contain two copies of the client. */
function isPermanent(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  return (
    ABOUT_THE_MESSAGE.has(String(name)) ||
    (name === 'JetStreamApiError' && REFUSALS.has(Number(code)))
  )
}

/**
 * The stream replied that it is full or has failed, or the user has no permission to publish there.
 */
function isOfDestination(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  return (name === 'JetStreamApiError' && code === STREAM_COULD_NOT_STORE) || isForbidden(error)
}

const STREAM_COULD_NOT_STORE = 10077

/**
 * Errors by which the client refuses to send the message: it is larger than `max_payload`, or a
 * header is invalid.
 */
const ABOUT_THE_MESSAGE = new Set(['InvalidArgumentError', 'InvalidSubjectError'])

/**
 * Error codes of the server: the message is larger than the stream accepts, its headers are larger
 * than 64 KiB, or the stream is sealed.
 */
const REFUSALS = new Set([10054, 10097, 10109])
