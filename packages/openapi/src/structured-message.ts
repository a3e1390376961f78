import { attributesOf } from './attributes.ts'
import type { JsonObject } from './components.ts'
import type { ResolvedEvent } from './events.ts'

/** The brokers that get CloudEvents in structured mode: they have few attributes beside a body. */
export const STRUCTURED_PROTOCOLS = ['sqs', 'sns', 'eventbridge'] as const
export type StructuredProtocol = (typeof STRUCTURED_PROTOCOLS)[number]

export function isStructured(protocol: string): protocol is StructuredProtocol {
  return (STRUCTURED_PROTOCOLS as readonly string[]).includes(protocol)
}

/**
 * An event as one JSON object with attributes and data. SQS and SNS also get its type and source as
 * attributes of the message, by which subscriptions filter.
 */
export function structuredMessage(event: ResolvedEvent, protocol: StructuredProtocol): JsonObject {
  const attributes = attributesOf(event)
  const names = Object.keys(event.headers)
  const properties = {
    ...Object.fromEntries(attributes.map(({ name, schema }) => [name, schema])),
    ...(names.length > 0 && {
      headers: { type: 'string', description: `JSON of an object with ${names.join(', ')}.` },
    }),
    data: event.data,
  }
  const required = attributes.flatMap(({ name, optional }) => (optional ? [] : [name]))
  const schemaOf = (wanted: string) => attributes.find(({ name }) => name === wanted)?.schema ?? {}
  return {
    name: event.type,
    summary: event.summary,
    contentType: 'application/cloudevents+json',
    ...(protocol === 'eventbridge'
      ? {
          description:
            'The payload is `Detail`; `Source` and `DetailType` are the source and the type.',
        }
      : {
          headers: {
            type: 'object',
            required: ['ce-type', 'ce-source'],
            properties: { 'ce-type': schemaOf('type'), 'ce-source': schemaOf('source') },
          },
        }),
    payload: { type: 'object', required: [...required, 'data'], properties },
  }
}
