import { OptionsError, patternsOf } from '@oncekey/core'
import { atOnce } from '@oncekey/core/options'
import { type Consumer, consumer, type DeliveredEvent } from '@oncekey/outbox'
import type { Statement } from '@oncekey/postgres/client'
import type { ResolvedOptions } from '../options/options.ts'
import { isKeptText } from '../statements/kept-text.ts'
import { type FanOutMessage, fanOut } from '../statements/messages.ts'
import { webhookBody } from './webhook-body.ts'

/**
 * Makes the consumer that turns events into deliveries. One commit contains the deliveries to every
 * endpoint that wants an event, and the mark that the event was taken in: either all of them exist
 * or none.
 */
export function fanOutConsumer<Tx>(
  name: string,
  options: ResolvedOptions,
  fannedOut: () => void,
): Consumer<Tx> {
  return consumer<Tx>({
    name,
    async handleBatch({ events, begin }) {
      const messages = new Map(events.flatMap((event) => messageOf(event, options) ?? []))
      if (messages.size === 0) return
      const { transaction, fresh } = await begin()
      const due = fresh.flatMap(({ id }) => messages.get(id) ?? [])
      if (due.length === 0) return
      await runIn(transaction, fanOut(options.schema, due))
      fannedOut()
    },
  })
}

function messageOf(
  event: DeliveredEvent,
  { customerOf }: ResolvedOptions,
): [[string, FanOutMessage]] | undefined {
  const customer = customerOf === undefined ? null : atOnce(customerOf(event))
  // The event is for no customer.
  if (customer === undefined) return undefined
  if (customer !== null && (typeof customer !== 'string' || customer === '')) {
    throw new OptionsError(
      `customerOf: return the customer as text, or undefined if the event is nobody's; not ${String(customer)}.`,
    )
  }
  // Such a customer cannot have registered an endpoint.
  if (customer !== null && !isKeptText(customer)) return undefined
  const { id, type, source, subject, headers, occurredAt } = event
  const message = {
    id,
    type,
    source,
    subject,
    headers,
    customer,
    patterns: patternsOf(type),
    body: webhookBody(event),
    occurredAt: occurredAt.toISOString(),
  }
  return [[id, message]]
}

/**
 * Runs a statement in the consumer's transaction. Transactions of pg and PGlite have `query(text,
 * values)`; an ORM's own transaction does not.
 */
async function runIn(transaction: unknown, { text, values }: Statement): Promise<void> {
  const query: unknown = Reflect.get(Object(transaction), 'query')
  if (typeof query !== 'function') {
    throw new OptionsError(
      "webhooks().consumer writes with the log's own transaction, which has no query(text, values). Give the relay a log on a pg Pool or on fromPglite(db).",
    )
  }
  await query.call(transaction, text, [...values])
}
