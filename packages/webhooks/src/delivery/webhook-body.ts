/**
 * Makes the body of a webhook in the form of the Standard Webhooks specification. The body is made
 * once and its bytes are stored, so that every attempt signs and sends the same bytes. The event's
 * data is copied as text, because parsing it and writing it again could change numbers.
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
