import type { OutboxEvent } from '@oncekey/core'
import type { ScriptArgument } from '../client/script.ts'

/**
 * The events as arguments of a script: for each event the number of its fields and values, then the
 * fields and values.
 *
 * An entry of the stream names its fields after the attributes of CloudEvents 1.0, including
 * `partitionkey` of the partitioning extension. `data` is JSON text; `headers`, which is not an
 * attribute of CloudEvents, is a JSON object of the event's headers. `subject` and `headers` are
 * left out if the event has none.
 */
export function entryArguments(events: readonly OutboxEvent[]): ScriptArgument[] {
  const args: ScriptArgument[] = []
  for (const event of events) {
    const fields = entryFields(event)
    args.push(fields.length, ...fields)
  }
  return args
}

function entryFields(event: OutboxEvent): string[] {
  const fields = [
    ['id', event.id],
    ['source', event.source],
    ['type', event.type],
    ['time', event.occurredAt.toISOString()],
    ['partitionkey', event.orderingKey],
    ['data', event.data],
  ]
  if (event.subject !== null) fields.push(['subject', event.subject])
  if (Object.keys(event.headers).length > 0) {
    fields.push(['headers', JSON.stringify(event.headers)])
  }
  return fields.flat()
}
