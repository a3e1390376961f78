import { OptionsError } from '@oncekey/core'
import type { Consumer } from './consumer/consumer.ts'
import type { DeliveredEvent } from './consumer/delivered-event.ts'
import { PermanentError } from './consumer/permanent-error.ts'
import { cloudEventAttributes, DATA_CONTENT_TYPE, ownHeaders } from './publishers/cloud-event.ts'
import { destinationFrom } from './publishers/destination-option.ts'
import {
  type KafkaJsProducer,
  type KafkaMessage,
  type KafkaProducer,
  type KafkaSend,
  kafkaSend,
  numbersMessages,
} from './publishers/kafka-clients.ts'
import { isKafkaPermanent } from './publishers/kafka-failures.ts'
import { MISSING_FOR_MS, type PublisherSettings, publisher } from './publishers/publisher.ts'
import { sharedSends } from './publishers/shared-sends.ts'

export type { KafkaJsProducer, KafkaMessage, KafkaProducer } from './publishers/kafka-clients.ts'

export interface KafkaPublisherOptions extends PublisherSettings {
  /**
   * `new Producer({ clientId, bootstrapBrokers })` of `@platformatic/kafka`, or `kafka.producer()`
   * of `kafkajs`, which you connect, and which must not have `idempotent: true`.
   */
  readonly producer: KafkaProducer | KafkaJsProducer
  /** The topic: one for all events, or a function of the event. */
  readonly topic: string | ((event: DeliveredEvent) => string)
  /** The most messages in one request. @default 100 */
  readonly batchSize?: number
}

/**
 * Publishes events to Kafka. An event is done when all in-sync replicas have it. The ordering key
 * is the message's key, so all events of a key are in one partition. Events that arrive during a
 * request are sent together in the next one. Messages are CloudEvents 1.0 in binary mode, with
 * `ce_` headers; consumers recognize a redelivery by `ce_id`. Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * const producer = new Producer({ clientId: 'shop', bootstrapBrokers: ['127.0.0.1:9092'] })
 * const broker = kafkaPublisher({ name: 'kafka', producer, topic: 'orders' })
 * const relay = createRelay({ log, consumers: [broker] })
 * ```
 */
export function kafkaPublisher<Tx = unknown>({
  producer,
  topic,
  batchSize = 100,
  ...settings
}: KafkaPublisherOptions): Consumer<Tx> {
  const sendAll = checked(producer, topic, batchSize)
  const send = sharedSends<KafkaMessage>({
    batchSize,
    isPermanent: isKafkaPermanent,
    send: sendAll,
  })
  return publisher<Tx>(settings, {
    isForOne: typeof topic === 'string',
    isPermanent: isKafkaPermanent,
    // Always false: the client rejects with the errors of all its tries, and none of these tells
    // whether one topic or the whole broker failed.
    isOfDestination: () => false,
    missingForMs: MISSING_FOR_MS,
    prepare(event) {
      const to = topicOf(event, topic)
      return { to, send: (...left) => send(to, messageOf(event, to), ...left) }
    },
  })
}

function topicOf(event: DeliveredEvent, topic: KafkaPublisherOptions['topic']): string {
  const to = destinationFrom('kafkaPublisher: topic', topic, event)
  if (isTopic(to)) return to
  throw new PermanentError(
    `kafkaPublisher: ${JSON.stringify(to)} is not a topic name (event "${event.type}").`,
  )
}

function messageOf(event: DeliveredEvent, topic: string): KafkaMessage {
  const headers = new Map<Buffer, Buffer>()
  const add = (name: string, value: string) => headers.set(Buffer.from(name), Buffer.from(value))
  for (const [name, value] of ownHeaders(event, /^(ce_|content-type$)/i)) add(name, value)
  for (const [name, value] of cloudEventAttributes(event)) {
    if (name !== 'datacontenttype') add(`ce_${name}`, value)
  }
  add('content-type', DATA_CONTENT_TYPE)
  return { topic, key: Buffer.from(event.orderingKey), value: Buffer.from(event.json), headers }
}

function isTopic(topic: unknown): topic is string {
  return typeof topic === 'string' && /^(?!\.{1,2}$)[\w.-]{1,249}$/.test(topic)
}

function checked(producer: unknown, topic: unknown, batchSize: number): KafkaSend {
  const send = kafkaSend(producer)
  if (send === undefined) {
    throw wrong(
      'producer is missing. Write `producer: new Producer({ … })`, of @platformatic/kafka, ' +
        'or `producer: kafka.producer()`, of kafkajs',
    )
  }
  if (numbersMessages(producer)) {
    throw wrong(
      'the producer has `idempotent: true`, with which an event can be lost when an answer is. ' +
        'Write `kafka.producer()` without it',
    )
  }
  if (typeof topic !== 'function' && !isTopic(topic)) {
    throw wrong("topic must be a topic name, such as 'orders', or a function that returns one")
  }
  if (!(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw wrong(`batchSize must be a whole number from 1, not ${String(batchSize)}`)
  }
  return send
}

function wrong(what: string): OptionsError {
  return new OptionsError(`kafkaPublisher: ${what}.`)
}
