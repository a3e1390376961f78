import { attributesOf, CONTENT_TYPE, ORDERING_KEY } from './attributes.ts'
import type { JsonObject } from './components.ts'
import type { ResolvedEvent } from './events.ts'
import {
  isStructured,
  STRUCTURED_PROTOCOLS,
  type StructuredProtocol,
  structuredMessage,
} from './structured-message.ts'

/** The brokers that have a publisher in `@oncekey/outbox`. */
export type BrokerProtocol =
  | 'nats'
  | 'kafka'
  | 'amqp'
  | 'redis'
  | 'sqs'
  | 'sns'
  | 'eventbridge'
  | 'googlepubsub'

/** A publisher, as it is made in the application. */
export interface PublisherDescription {
  /** The publisher's `name`. */
  readonly name: string
  readonly protocol: BrokerProtocol
  /**
   * The subject, topic, routing key, stream, queue or event bus: one for all events, or by the
   * event's type.
   */
  readonly address: string | ((type: string) => string)
  /** RabbitMQ: the exchange. */
  readonly exchange?: string
}

/**
 * An event in the form in which a broker carries it: CloudEvents 1.0, in structured mode with the
 * brokers of AWS, and in binary mode with the others, so that the payload is the data. An entry of
 * a Redis stream has nothing but fields; here the field `data` is its payload, and the other fields
 * are its headers.
 */
export function publishedMessage(event: ResolvedEvent, protocol: BrokerProtocol): JsonObject {
  if (isStructured(protocol)) return structuredMessage(event, protocol)
  const attributes = attributesOf(event).filter(
    ({ name }) => name !== 'datacontenttype' || protocol === 'nats' || protocol === 'redis',
  )
  const properties = Object.fromEntries([
    ...attributes.map(({ name, schema }) => [PREFIX[protocol] + name, schema]),
    ...Object.entries(event.headers).map(([name, description]) => [
      protocol === 'redis' ? `header_${name}` : name,
      { type: 'string', description },
    ]),
  ])
  if (protocol === 'kafka' || protocol === 'googlepubsub') properties['content-type'] = CONTENT_TYPE
  const required = attributes.flatMap(({ name, optional }) =>
    optional ? [] : [PREFIX[protocol] + name],
  )
  return {
    name: event.type,
    summary: event.summary,
    contentType: 'application/json',
    headers: { type: 'object', required, properties },
    ...(protocol === 'redis' && { description: 'The payload is the field `data` of the entry.' }),
    payload: event.data,
    ...(protocol === 'kafka' && {
      bindings: { kafka: { key: ORDERING_KEY, bindingVersion: '0.5.0' } },
    }),
  }
}

const PREFIX: Readonly<Record<Exclude<BrokerProtocol, StructuredProtocol>, string>> = {
  nats: 'ce-',
  kafka: 'ce_',
  amqp: 'cloudEvents:',
  redis: 'ce_',
  googlepubsub: 'ce-',
}

export const protocols: readonly string[] = [...Object.keys(PREFIX), ...STRUCTURED_PROTOCOLS]
