import { OptionsError } from '@oncekey/core'
import { cloudEventAttributes, DATA_CONTENT_TYPE, ownHeaders } from './cloud-event.ts'
import type { Consumer } from './consumer.ts'
import type { DeliveredEvent } from './delivered-event.ts'
import { PermanentError } from './permanent-error.ts'
import { type PublisherSettings, publisher } from './publisher.ts'
import { sharedSends } from './shared-sends.ts'
import { toldByApp } from './told-by-app.ts'

/** What is used of a `Producer` of `@platformatic/kafka`; another client fits behind one function. */
export interface KafkaProducer {
  /** Resolves when all replicas in sync have all of the messages. */
  send(options: {
    messages: KafkaMessage[]
    /** All replicas that are in sync. */
    acks: -1
    idempotent: false
  }): Promise<unknown>
}

export interface KafkaMessage {
  topic: string
  key: Buffer
  value: Buffer
  headers: Map<Buffer, Buffer>
}

export interface KafkaPublisherOptions extends PublisherSettings {
  /** `new Producer({ clientId, bootstrapBrokers })` of `@platformatic/kafka`. */
  readonly producer: KafkaProducer
  /** Where to publish, one for all or one for each event. */
  readonly topic: string | ((event: DeliveredEvent) => string)
  /** How many messages one request takes at most. @default 100 */
  readonly batchSize?: number
}

/**
 * Publishes events to Kafka: one is done when all replicas in sync have it. The ordering key is the
 * message's key, so that one partition has all of it. What is handed in while a request is under way
 * goes with the next. Messages are CloudEvents 1.0 in binary mode, with `ce_` headers; whoever consumes
 * knows what comes again by `ce_id`. Throws {@link OptionsError}.
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
  check(producer, topic, batchSize)
  const send = sharedSends<KafkaMessage>({
    batchSize,
    isPermanent,
    // Not idempotent: a producer that numbers its batches after the fact gives the number of one whose
    // answer was lost to the next, which the broker then drops as a duplicate.
    send: (messages) => producer.send({ messages, acks: -1, idempotent: false }),
  })
  return publisher<Tx>(settings, {
    isPermanent,
    prepare(event) {
      const to = topicOf(event, topic)
      return async () => send(messageOf(event, to))
    },
  })
}

function topicOf(event: DeliveredEvent, topic: KafkaPublisherOptions['topic']): string {
  const to = toldByApp('kafkaPublisher: topic', topic, event)
  if (isTopic(to)) return to
  throw new PermanentError(
    `kafkaPublisher: ${JSON.stringify(to)} is no name of a topic (event "${event.type}").`,
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

/**
 * What the broker said of a message, wherever in the chain of errors; under the name the protocol has
 * for it. An unknown topic may be one that is being made, and is not among them.
 */
function isPermanent(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 5) return false
  const { apiId, type, errors, cause } = error as Record<string, unknown>
  if (PERMANENT.has(String(apiId ?? type))) return true
  const causes = [...(Array.isArray(errors) ? errors : []), cause]
  return causes.some((each) => isPermanent(each, depth + 1))
}

const PERMANENT = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_RECORD',
])

function isTopic(topic: unknown): topic is string {
  return typeof topic === 'string' && /^(?!\.{1,2}$)[\w.-]{1,249}$/.test(topic)
}

function check(producer: unknown, topic: unknown, batchSize: number): void {
  if (typeof (producer as KafkaProducer | null)?.send !== 'function') {
    throw wrong(
      'producer is missing: write `producer: new Producer({ … })`, of @platformatic/kafka',
    )
  }
  if (typeof topic !== 'function' && !isTopic(topic)) {
    throw wrong("topic must be the name of one, such as 'orders', or a function that says it")
  }
  if (!(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw wrong(`batchSize must be a whole number from 1, not ${String(batchSize)}`)
  }
}

function wrong(what: string): OptionsError {
  return new OptionsError(`kafkaPublisher: ${what}.`)
}
