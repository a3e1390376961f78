import type { JsonObject } from './components.ts'
import type { ResolvedEvent } from './events.ts'

/** The headers of a delivery: those of Standard Webhooks, and the two that are not signed. */
export const webhookHeaders: readonly {
  readonly name: string
  readonly component: string
  readonly description: string
  readonly schema: JsonObject
}[] = [
  {
    name: 'webhook-id',
    component: 'WebhookId',
    description: 'The id of the event, the same on every attempt. Process each id once.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  {
    name: 'webhook-timestamp',
    component: 'WebhookTimestamp',
    description: 'When this attempt was signed, in seconds since 1970. Refuse one that is old.',
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
  {
    name: 'webhook-signature',
    component: 'WebhookSignature',
    description:
      'Signatures of `<webhook-id>.<webhook-timestamp>.<body>`, one for each secret in force, ' +
      'separated by spaces: `v1,` with HMAC-SHA256 or `v1a,` with Ed25519, in base64. One that ' +
      'verifies is enough.',
    schema: { type: 'string', pattern: '^v1a?,\\S+( v1a?,\\S+)*$' },
  },
  {
    name: 'x-event-id',
    component: 'WebhookEventId',
    description: 'The same as `webhook-id`, for logs. Not signed.',
    schema: { type: 'string' },
  },
  {
    name: 'x-delivery-attempt',
    component: 'WebhookDeliveryAttempt',
    description: 'Which attempt this is; the first is 1. Not signed, so nothing is decided by it.',
    schema: { type: 'string', pattern: '^[1-9][0-9]*$' },
  },
]

/** The body of a delivery, as Standard Webhooks specifies it. */
export function webhookPayload({ type, data }: ResolvedEvent): JsonObject {
  return {
    type: 'object',
    required: ['type', 'timestamp', 'data'],
    properties: {
      type: { type: 'string', const: type },
      timestamp: { type: 'string', format: 'date-time', description: 'When it happened.' },
      data,
    },
  }
}
