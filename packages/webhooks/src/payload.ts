/** What is sent of an event. */
export interface WebhookEvent {
  readonly id: string
  readonly type: string
  /** When it happened. */
  readonly occurredAt: Date
  /** Any JSON value. */
  readonly data: unknown
}

/**
 * The body of a webhook, as the Standard Webhooks specification has it. Made once and kept to the byte:
 * every attempt signs and sends the same.
 */
export function webhookBody({ type, occurredAt, data }: WebhookEvent): string {
  return JSON.stringify({ type, timestamp: occurredAt.toISOString(), data: data ?? null })
}
