import type { JsonObject } from './components.ts'
import type { ResolvedEvent } from './events.ts'

/** The brokers that have a publisher in `@oncekey/outbox`. */
export type BrokerProtocol = 'nats' | 'kafka' | 'amqp' | 'redis'

/** A publisher, as it is made in the application. */
export interface PublisherDescription {
  /** The publisher's `name`. */
  readonly name: string
  readonly protocol: BrokerProtocol
  /** The subject, topic, routing key or stream: one for all events, or by the event's type. */
  readonly address: string | ((type: string) => string)
  /** RabbitMQ: the exchange. */
  readonly exchange?: string
}

/**
 * An event in the form in which a broker carries it: CloudEvents 1.0 in binary mode, so the payload
 * is the data. An entry of a Redis stream has nothing but fields; here the field `data` is its
 * payload, and the other fields are its headers.
 */
export function publishedMessage(event: ResolvedEvent, protocol: BrokerProtocol): JsonObject {
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
  if (protocol === 'kafka') properties['content-type'] = CONTENT_TYPE
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

const PREFIX: Readonly<Record<BrokerProtocol, string>> = {
  nats: 'ce-',
  kafka: 'ce_',
  amqp: 'cloudEvents:',
  redis: 'ce_',
}

const CONTENT_TYPE: JsonObject = { type: 'string', const: 'application/json' }

export const protocols: readonly string[] = Object.keys(PREFIX)

const ORDERING_KEY: JsonObject = {
  type: 'string',
  description: 'The ordering key: events that have the same one are in order.',
}

interface Attribute {
  readonly name: string
  readonly schema: JsonObject
  readonly optional?: boolean
}

function attributesOf({ type, subject }: ResolvedEvent): readonly Attribute[] {
  const text = (description: string) => ({ type: 'string', description })
  return [
    { name: 'specversion', schema: { type: 'string', const: '1.0' } },
    { name: 'id', schema: text('The same on every delivery. Process each id once.') },
    { name: 'source', schema: { type: 'string', format: 'uri-reference' } },
    { name: 'type', schema: { type: 'string', const: type } },
    { name: 'time', schema: { type: 'string', format: 'date-time' } },
    { name: 'datacontenttype', schema: CONTENT_TYPE },
    { name: 'partitionkey', schema: ORDERING_KEY },
    ...(subject === undefined ? [] : [{ name: 'subject', schema: text(subject) }]),
    { name: 'traceparent', schema: text('W3C Trace Context.'), optional: true },
    { name: 'tracestate', schema: text('W3C Trace Context.'), optional: true },
  ]
}
