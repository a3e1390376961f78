import { checkVersion, type JsonObject } from './components.ts'
import { type EventDescriptions, type ResolvedEvent, resolveEvents } from './events.ts'
import { webhookHeaders, webhookPayload } from './webhook-message.ts'

/**
 * Returns the document with each event as a webhook of OpenAPI: its payload, the headers of
 * Standard Webhooks, and what the sender does after each answer. A webhook that the document
 * already has stays.
 *
 * @throws {OptionsError} if the document is not OpenAPI 3.1 or 3.2, or an event cannot be described
 * @example
 * ```ts
 * const described = describeWebhooks(document, {
 *   'order.placed': {
 *     summary: 'An order was placed.',
 *     data: { $ref: '#/components/schemas/Order' },
 *   },
 * })
 * ```
 */
export function describeWebhooks<Document extends object>(
  document: Document,
  events: EventDescriptions,
): Document {
  const given = document as JsonObject
  checkVersion(given.openapi)
  const components = (given.components ?? {}) as JsonObject
  const webhooks = resolveEvents(events).map((event) => [event.type, { post: operation(event) }])
  return {
    ...document,
    components: {
      ...components,
      parameters: { ...PARAMETERS, ...(components.parameters as JsonObject | undefined) },
    },
    webhooks: { ...Object.fromEntries(webhooks), ...(given.webhooks as JsonObject | undefined) },
  }
}

const PARAMETERS: JsonObject = Object.fromEntries(
  webhookHeaders.map(({ name, component, description, schema }) => [
    component,
    { name, in: 'header', required: true, description, schema },
  ]),
)

function operation(event: ResolvedEvent): JsonObject {
  return {
    operationId: `webhook.${event.type}`,
    summary: event.summary,
    // The signature takes the place of credentials.
    security: [],
    parameters: webhookHeaders.map(({ component }) => ({
      $ref: `#/components/parameters/${component}`,
    })),
    requestBody: {
      required: true,
      content: { 'application/json': { schema: webhookPayload(event) } },
    },
    responses: ANSWERS,
  }
}

const ANSWERS: JsonObject = {
  '2XX': { description: 'The delivery is accepted, and not sent again.' },
  '410': { description: 'The endpoint is gone: it is disabled, and gets no more.' },
  '4XX': {
    description:
      'The delivery is refused for good, except for 408, 409, 421, 423, 425 and 429, after which ' +
      'it is sent again.',
  },
  '5XX': { description: 'The delivery is sent again later, not before `Retry-After`.' },
}
