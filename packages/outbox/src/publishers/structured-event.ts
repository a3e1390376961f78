import type { DeliveredEvent } from '../consumer/delivered-event.ts'
import { cloudEventAttributes } from './cloud-event.ts'

/**
 * The event as CloudEvents 1.0 in structured mode: one JSON object with attributes and data, for
 * brokers that have few attributes beside a body. `data` is the text that was stored, so numbers
 * keep all their digits. The event's own headers are the extension `headers`, JSON in a string.
 */
export function structuredEvent(event: DeliveredEvent): string {
  const members = cloudEventAttributes(event).map(([name, value]) => member(name, value))
  const headers = JSON.stringify(event.headers)
  if (headers !== '{}') members.push(member('headers', headers))
  members.push(`"data":${event.json}`)
  return `{${members.join(',')}}`.replace(/[\ufffe\uffff]/g, escaped)
}

function member(name: string, value: string): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`
}

/**
 * SQS refuses these two characters, which JSON text may have, in strings only, and may also escape.
 */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16)}`
}
