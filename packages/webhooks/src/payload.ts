/**
 * The body of a webhook, as the Standard Webhooks specification has it. Made once and kept to the byte:
 * every attempt signs and sends the same. The data is passed on as the log has it, not as JavaScript
 * would write it again.
 */
export function webhookBody(event: {
  readonly type: string
  readonly occurredAt: Date
  /** JSON text. */
  readonly json: string
}): string {
  const type = JSON.stringify(event.type)
  const timestamp = JSON.stringify(event.occurredAt.toISOString())
  return `{"type":${type},"timestamp":${timestamp},"data":${event.json}}`
}
