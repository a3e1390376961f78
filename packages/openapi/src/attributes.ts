import type { JsonObject } from './components.ts'
import type { ResolvedEvent } from './events.ts'

export const CONTENT_TYPE: JsonObject = { type: 'string', const: 'application/json' }

export const ORDERING_KEY: JsonObject = {
  type: 'string',
  description: 'The ordering key: events that have the same one are in order.',
}

export interface Attribute {
  readonly name: string
  readonly schema: JsonObject
  readonly optional?: boolean
}

/** The attributes of CloudEvents 1.0 that every event has. */
export function attributesOf({ type, subject }: ResolvedEvent): readonly Attribute[] {
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
