import { OptionsError, wholeMs } from '@oncekey/core'
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

/** The part of a `Topic` of `@google-cloud/pubsub` that is used. */
export interface PubSubTopic {
  /** `projects/<project>/topics/<topic>`. */
  readonly name: string
  publishMessage(message: {
    data: Buffer
    attributes: Record<string, string>
    orderingKey: string
  }): Promise<string>
  resumePublishing(orderingKey: string): void
}

export interface PubSubPublisherOptions extends PublisherSettings, MissingSettings {
  /**
   * `pubsub.topic('orders', …)`: one for all events, or a function of the event, which should
   * return the same object for the same topic. Nothing else should publish on that object.
   */
  readonly topic: PubSubTopic | ((event: DeliveredEvent) => PubSubTopic)
}

/**
 * Publishes events to topics of Google Cloud Pub/Sub. An event is done when Pub/Sub has stored it.
 * A subscription with message ordering gets the events of an ordering key in order; Pub/Sub
 * recognizes no duplicate. Messages are CloudEvents 1.0 in binary mode, with `ce-` attributes;
 * consumers recognize a redelivery by `ce-id`. A missing topic is waited for `missingForMs`. Throws
 * {@link OptionsError}.
 *
 * @example
 * ```ts
 * const topic = new PubSub().topic('orders', {
 *   messageOrdering: true,
 *   batching: { maxMessages: 1 }, // an ordering key has one event at a time under way
 *   gaxOpts: { retry: null, timeout: 10_000 }, // the relay tries again
 * })
 * const broker = pubSubPublisher({ name: 'pubsub', topic })
 * const relay = createRelay({ log, consumers: [broker] })
 * ```
 */
export function pubSubPublisher<Tx = unknown>({
  topic,
  missingForMs = MISSING_FOR_MS,
  ...settings
}: PubSubPublisherOptions): Consumer<Tx> {
  if (typeof topic !== 'function' && !isTopic(topic)) {
    throw new OptionsError(
      "pubSubPublisher: topic is missing. Write `topic: pubsub.topic('orders')`, of " +
        '@google-cloud/pubsub, or a function that returns one.',
    )
  }
  const isOrdered = settings.ordered ?? true
  const once = oneSendEach()
  return publisher<Tx>(settings, {
    isForOne: typeof topic !== 'function',
    isPermanent: (error) => codeOf(error) === INVALID_ARGUMENT,
    // Always false: the errors that pass are about rights, quotas or the network, and do not say
    // whether other topics have them too.
    isOfDestination: () => false,
    missingForMs: wholeMs('pubSubPublisher: missingForMs', missingForMs, 0),
    prepare(event) {
      const on = topicOf(event, topic)
      // Messages of one ordering key share requests. One that Pub/Sub refuses fails its whole
      // request, so each event under way has a key of its own.
      const orderingKey = isOrdered ? event.orderingKey : event.id
      const message = {
        data: Buffer.from(event.json),
        attributes: attributesOf(event),
        orderingKey,
      }
      const send = () => publishOn(on, message)
      return {
        to: on.name,
        send: (_: number, left: AbortSignal) => once(on.name, event, left, send),
      }
    },
  })
}

async function publishOn(
  topic: PubSubTopic,
  message: Parameters<PubSubTopic['publishMessage']>[0],
): Promise<void> {
  try {
    await topic.publishMessage(message)
  } catch (error) {
    // By its contract, the client refuses everything else with this key until it is told.
    topic.resumePublishing(message.orderingKey)
    if (codeOf(error) !== NOT_FOUND) throw error
    throw new MissingDestinationError(`There is no topic "${topic.name}".`, { cause: error })
  }
}

function topicOf(event: DeliveredEvent, topic: PubSubPublisherOptions['topic']): PubSubTopic {
  const on = destinationFrom('pubSubPublisher: topic', topic, event)
  if (isTopic(on)) return on
  throw new PermanentError(
    `pubSubPublisher: the function topic returned no topic (event "${event.type}"). Return what ` +
      'pubsub.topic(name) made.',
  )
}

function isTopic(topic: unknown): topic is PubSubTopic {
  const { name, publishMessage, resumePublishing } = (topic ?? {}) as Partial<PubSubTopic>
  return (
    typeof name === 'string' &&
    typeof publishMessage === 'function' &&
    typeof resumePublishing === 'function'
  )
}

function attributesOf(event: DeliveredEvent): Record<string, string> {
  const attributes = Object.fromEntries(ownHeaders(event, /^(ce-|goog|content-type$)/i))
  for (const [name, value] of cloudEventAttributes(event)) {
    if (name !== 'datacontenttype') attributes[`ce-${name}`] = value
  }
  attributes['content-type'] = DATA_CONTENT_TYPE
  for (const [name, value] of Object.entries(attributes)) {
    const bytes = { name: Buffer.byteLength(name), value: Buffer.byteLength(value) }
    if (bytes.name <= MOST_BYTES.name && bytes.value <= MOST_BYTES.value) continue
    throw new PermanentError(
      `pubSubPublisher: the attribute "${name.slice(0, 100)}" has a name of ${bytes.name} bytes ` +
        `and a value of ${bytes.value} bytes. Pub/Sub takes ${MOST_BYTES.name} and ` +
        `${MOST_BYTES.value}.`,
    )
  }
  const count = Object.keys(attributes).length
  if (count <= MOST_ATTRIBUTES) return attributes
  throw new PermanentError(
    `pubSubPublisher: the event has ${count} attributes and headers, and Pub/Sub takes ` +
      `${MOST_ATTRIBUTES} (event "${event.type}").`,
  )
}

/** The status code of gRPC. */
function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code
}

const INVALID_ARGUMENT = 3
const NOT_FOUND = 5

/** The limits of Pub/Sub for the attributes of a message. */
const MOST_BYTES = { name: 256, value: 1_024 } as const
const MOST_ATTRIBUTES = 100
