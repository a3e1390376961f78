import type { Statement } from '@oncekey/postgres/client'

export interface FanOutMessage {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly headers: Readonly<Record<string, string>>
  /** Null if endpoints have no customers. */
  readonly customer: string | null
  /** Every pattern that covers this type: `order.created`, `order.*`, `*`. */
  readonly patterns: readonly string[]
  readonly body: string
  readonly occurredAt: string
}

/**
 * Makes a delivery of each message for every endpoint that wants it, by
 * `schema/functions/fan-out-webhooks-2.ts`.
 */
export function fanOut(
  schema: string,
  messages: readonly FanOutMessage[],
): Statement<{ count: string }> {
  return {
    name: 'fan_out',
    text: `select ${schema}.fan_out_webhooks_2($1::json)::text as count`,
    values: [JSON.stringify(messages)],
  }
}
