import { describeEvents, type EventDescriptions } from '@oncekey/openapi'

/** An order, in answers and in events. */
export const order = {
  type: 'object',
  required: ['id', 'item'],
  properties: { id: { type: 'integer' }, item: { type: 'string' } },
} as const

/** All that this application emits. */
export const events = {
  'order.placed': {
    summary: 'An order was placed.',
    data: order,
    subject: "The order's id.",
  },
} satisfies EventDescriptions

/** The events in AsyncAPI: they go to Kafka, and to customers as webhooks. */
export const asyncapi = describeEvents({
  info: { title: 'Orders', version: '1.0.0' },
  events,
  servers: { kafka: { host: 'kafka.orders.example:9092', protocol: 'kafka' } },
  publishers: [{ name: 'kafka', protocol: 'kafka', address: 'orders' }],
  webhooks: true,
})
