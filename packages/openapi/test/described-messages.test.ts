import type { DeliveredEvent } from '@oncekey/outbox'
import { kafkaPublisher } from '@oncekey/outbox/kafka'
import { natsPublisher } from '@oncekey/outbox/nats'
import { pubSubPublisher } from '@oncekey/outbox/pubsub'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { redisPublisher } from '@oncekey/outbox/redis'
import { generateSecret } from '@oncekey/webhooks'
import { describe, expect, test } from 'vitest'
import { awsMessage } from '../../outbox/src/publishers/aws-message.ts'
import { structuredEvent } from '../../outbox/src/publishers/structured-event.ts'
import { requestHeaders } from '../../webhooks/src/delivery/sign-and-send.ts'
import { webhookBody } from '../../webhooks/src/delivery/webhook-body.ts'
import { type BrokerProtocol, describeEvents } from '../src/index.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const event: DeliveredEvent = {
  id: '0199f2c8-7a1e-7c60-b9a3-0d4b2a7f4c11',
  type: 'order.placed',
  source: '/shop',
  subject: '7',
  orderingKey: '7',
  data: { id: 7 },
  json: '{"id":7}',
  headers: { customer: 'acme', traceparent, tracestate: 'a=b' },
  occurredAt: new Date(),
  toJSON: () => event,
}
const events = {
  'order.placed': {
    summary: 'An order was placed.',
    subject: "The order's id.",
    headers: { customer: 'Whose order it is.' },
  },
}

/** Records what the publisher of each broker hands to its client. */
const sent: Record<
  Exclude<BrokerProtocol, 'sqs' | 'sns' | 'eventbridge'>,
  (record: (headers: [string, string][]) => void) => Sender
> = {
  nats: (record) =>
    natsPublisher({
      name: 'of',
      jetstream: {
        async publish(_subject, _data, { headers }) {
          record([...headers].map(([name, values]) => [name, values[0] ?? '']))
          return { stream: 's', seq: 1, duplicate: false }
        },
        async jetstreamManager() {
          throw new Error('is not asked')
        },
      },
    }),
  kafka: (record) =>
    kafkaPublisher({
      name: 'of',
      topic: 'orders',
      producer: {
        async send({ messages }) {
          const [message] = messages
          record([...(message?.headers ?? [])].map(([name, value]) => [`${name}`, `${value}`]))
        },
      },
    }),
  amqp: (record) =>
    rabbitmqPublisher({
      name: 'of',
      exchange: 'shop',
      connection: {
        createPublisher: () => ({
          async send({ headers }) {
            record(Object.entries(headers))
          },
          on() {},
          async close() {},
        }),
      },
    }),
  googlepubsub: (record) =>
    pubSubPublisher({
      name: 'of',
      topic: {
        name: 'projects/p/topics/orders',
        async publishMessage({ attributes }) {
          record(Object.entries(attributes))
          return '1'
        },
        resumePublishing() {},
      },
    }),
  redis: (record) =>
    redisPublisher({
      name: 'of',
      stream: 'shop',
      client: {
        async xadd(_key, ...args) {
          const fields = args.slice(args.indexOf('*') + 1).map(String)
          const pairs = fields.flatMap((name, at): [string, string][] =>
            at % 2 === 0 ? [[name, fields[at + 1] ?? '']] : [],
          )
          record(pairs.filter(([name]) => name !== 'data'))
        },
      },
    }),
}

type Sender = ReturnType<typeof kafkaPublisher>

describe.each(Object.keys(sent) as (keyof typeof sent)[])('a message of %s', (protocol) => {
  test('has the headers that are described, with their values', async () => {
    let headers: [string, string][] = []
    const { work } = sent[protocol]((recorded) => {
      headers = recorded
    })
    if (work.kind !== 'each') throw new Error('a publisher takes one event at a time')
    await work.handle({ event, signal: new AbortController().signal } as never)

    const publishers = [{ name: 'of', protocol, address: 'orders' }]
    const document = describeEvents({ info, events, publishers }) as any
    const described = document.channels.of.messages['order.placed'].headers
    // The trace headers are sent under their own names as well.
    const passedOn = /^(header_)?trace(parent|state)$/
    expectDescribed(
      headers.filter(([name]) => !passedOn.test(name)),
      described,
    )
  })
})

// The publishers themselves are tested on stand-ins of these brokers, with the same functions.
describe.each(['sqs', 'sns', 'eventbridge'] as const)('a message of %s', (protocol) => {
  test('has the attributes and the members that are described, with their values', () => {
    const publishers = [{ name: 'of', protocol, address: 'orders.fifo' }]
    const { channels } = describeEvents({ info, events, publishers }) as any
    const { headers, payload } = channels.of.messages['order.placed']
    if (protocol !== 'eventbridge') {
      const { attributes } = awsMessage('of', event, true)
      const pairs = Object.entries(attributes).map(([name, { StringValue }]) => [name, StringValue])
      expectDescribed(pairs as [string, string][], headers)
    }
    const { data, ...members } = JSON.parse(structuredEvent(event))
    expect(data).toEqual(event.data)
    expectDescribed([...Object.entries<string>(members), ['data', '']], payload)
  })
})

test('only a FIFO queue or topic of AWS is said to have an order, and no bus', () => {
  const publishers = [
    { name: 'fifo', protocol: 'sqs', address: 'https://sqs.example.org/1/orders.fifo' },
    { name: 'standard', protocol: 'sns', address: 'arn:aws:sns:eu-central-1:1:orders' },
    { name: 'bus', protocol: 'eventbridge', address: 'shop' },
  ] as const
  const { operations } = describeEvents({ info, events, publishers }) as any
  const summaries = Object.values<any>(operations).map(({ summary }) => summary)
  expect(summaries.map((summary) => /in any order/.test(summary))).toEqual([false, true, true])
})

test('a webhook has the headers and the members that are described', () => {
  const body = webhookBody(event)
  const secret = { secret: generateSecret(), seal: null }
  const headers = requestHeaders(
    {
      endpointId: 'e',
      messageId: event.id,
      body: Buffer.from(body),
      attempt: 1,
      secrets: [secret],
      at: new Date(),
    },
    {},
    { seal: undefined } as never,
  )
  const others = ['user-agent', 'content-type']
  const document = describeEvents({ info, events, webhooks: true }) as any
  const message = document.channels.webhooks.messages['order.placed']
  expectDescribed(
    Object.entries(headers).filter(([name]) => !others.includes(name)),
    message.headers,
  )
  expect(Object.keys(JSON.parse(body))).toEqual(Object.keys(message.payload.properties))
})

const info = { title: 'Orders', version: '1.0.0' }

/** All that is sent is described, with its value or pattern, and all that is required is sent. */
function expectDescribed(headers: readonly [string, string][], schema: any): void {
  const names = headers.map(([name]) => name)
  expect(names.filter((name) => !(name in schema.properties))).toEqual([])
  expect(schema.required.filter((name: string) => !names.includes(name))).toEqual([])
  for (const [name, value] of headers) {
    const { const: fixed, pattern } = schema.properties[name]
    if (fixed !== undefined) expect([name, value]).toEqual([name, fixed])
    if (pattern !== undefined) expect(value).toMatch(new RegExp(pattern))
  }
}
