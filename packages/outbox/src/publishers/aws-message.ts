import { createHash } from 'node:crypto'
import type { DeliveredEvent } from '../consumer/delivered-event.ts'
import { structuredEvent } from './structured-event.ts'

/** A message for SQS or SNS. */
export interface AwsMessage {
  readonly body: string
  readonly attributes: Record<string, { DataType: 'String'; StringValue: string }>
  /** What a FIFO queue or topic needs; empty for a standard one. */
  readonly fifo: { MessageGroupId?: string; MessageDeduplicationId?: string }
  /** What the broker counts: the body and the attributes, with their names and types. */
  readonly bytes: number
}

/** `publisher` is its name: another publisher's message of the same event is no duplicate. */
export function awsMessage(publisher: string, event: DeliveredEvent, isFifo: boolean): AwsMessage {
  const body = structuredEvent(event)
  const { type, source } = event
  let bytes = Buffer.byteLength(body)
  const attributes: AwsMessage['attributes'] = {}
  for (const [name, value] of [
    ['ce-type', type],
    ['ce-source', source],
  ] as const) {
    attributes[name] = { DataType: 'String', StringValue: value }
    bytes += name.length + 'String'.length + Buffer.byteLength(value)
  }
  const fifo = isFifo
    ? {
        MessageGroupId: identifier(event.orderingKey),
        MessageDeduplicationId: identifier(`${publisher}:${event.id}`),
      }
    : {}
  return { body, attributes, fifo, bytes }
}

/** The text itself, or its hash if the broker does not take the text as an identifier. */
function identifier(text: string): string {
  if (/^[\x21-\x7e]{1,128}$/.test(text)) return text
  return createHash('sha256').update(text).digest('hex')
}
