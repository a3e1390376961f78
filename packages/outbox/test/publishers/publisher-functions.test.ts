import { memoryLog, memoryStore } from '@oncekey/core'
import { type Consumer, createRelay, type DeliveredEvent, deadLetters } from '@oncekey/outbox'
import { eventBridgePublisher } from '@oncekey/outbox/eventbridge'
import { kafkaPublisher } from '@oncekey/outbox/kafka'
import { natsPublisher } from '@oncekey/outbox/nats'
import { type PubSubTopic, pubSubPublisher } from '@oncekey/outbox/pubsub'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { redisPublisher } from '@oncekey/outbox/redis'
import { snsPublisher } from '@oncekey/outbox/sns'
import { sqsPublisher } from '@oncekey/outbox/sqs'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'

type Told = (event: DeliveredEvent) => string

/** Each publisher, on a client that accepts every message and records it. */
const publishers: Record<string, (told: Told, took: (id: string) => void) => Consumer> = {
  eventbridge: (eventBusName, took) =>
    eventBridgePublisher({
      name: 'broker',
      eventBusName,
      client: clientOf(({ Entries = [] }) => {
        for (const { Detail } of Entries) took(Detail ?? '')
        return { Entries: Entries.map(() => ({ EventId: 'x' })) }
      }),
    }),
  pubsub: (topic, took) =>
    pubSubPublisher({
      name: 'broker',
      // What is no topic is passed on as it is.
      topic: (event) => {
        const name: unknown = topic(event)
        if (typeof name !== 'string') return name as PubSubTopic
        return {
          name,
          async publishMessage({ data }) {
            took(String(data))
            return 'x'
          },
          resumePublishing: () => {},
        }
      },
    }),
  sns: (topic, took) =>
    snsPublisher({
      name: 'broker',
      topicArn: inFront('arn:aws:sns:us-east-1:1:', topic),
      client: clientOf(({ PublishBatchRequestEntries: Entries = [] }) => {
        for (const { Message } of Entries) took(Message ?? '')
        return { Successful: Entries }
      }),
    }),
  sqs: (queue, took) =>
    sqsPublisher({
      name: 'broker',
      queueUrl: inFront('https://sqs/1/', queue),
      client: clientOf(({ Entries = [] }) => {
        for (const { MessageBody } of Entries) took(MessageBody ?? '')
        return { Successful: Entries }
      }),
    }),
  kafka: (topic, took) =>
    kafkaPublisher({
      name: 'broker',
      topic,
      producer: {
        async send({ messages }) {
          for (const { value } of messages) took(String(value))
        },
      },
    }),
  nats: (subject, took) =>
    natsPublisher({
      name: 'broker',
      subject,
      jetstream: {
        async publish(_, data) {
          took(data)
          return { stream: 's', seq: 1, duplicate: false }
        },
        async jetstreamManager() {
          throw new Error('Not asked.')
        },
      },
    }),
  rabbitmq: (routingKey, took) =>
    rabbitmqPublisher({
      name: 'broker',
      exchange: 'shop',
      routingKey,
      connection: {
        createPublisher: () => ({
          async send(_, body) {
            took(String(body))
          },
          on: () => undefined,
          close: async () => {},
        }),
      },
    }),
  redis: (stream, took) =>
    redisPublisher({
      name: 'broker',
      stream,
      client: {
        async xadd(...args) {
          took(String(args.at(-1)))
        },
      },
    }),
}

type Entries = { Id?: string; Detail?: string; Message?: string; MessageBody?: string }[]

/** A client of the AWS SDK that answers every command. */
function clientOf(
  answer: (input: { Entries?: Entries; PublishBatchRequestEntries?: Entries }) => object,
): never {
  return {
    send: async ({ input }: { input: Parameters<typeof answer>[0] }) => answer(input),
  } as never
}

function inFront(prefix: string, told: Told): Told {
  return (event) => {
    const name: unknown = told(event)
    return typeof name === 'string' ? `${prefix}${name}` : (name as string)
  }
}

const failing: Record<string, Told> = {
  throws: () => {
    throw new TypeError('no region')
  },
  rejects: (() => Promise.reject(new Error('asynchronous'))) as unknown as Told,
}

const cases = Object.entries(publishers).flatMap(([name, make]) =>
  Object.entries(failing).map(([how, fail]) => ({ name, make, how, fail })),
)

test.each(cases)(
  '$name: an event for which its function $how becomes a dead letter, and no other event waits',
  async ({ make, fail }) => {
    const log = memoryLog(memoryStore())
    const took: string[] = []
    const broker = make(
      (event) => (event.type === 'bad' ? fail(event) : 'good'),
      (data) => took.push(data),
    )
    // If the gate closed, the good events would wait for at least a second.
    const relay = createRelay({ log, consumers: [{ ...broker, backoff: () => 3_600_000 }] })
    await log.append(
      Array.from({ length: 40 }, (_, at) => ({
        id: `event-${at}`,
        type: at % 4 === 0 ? 'bad' : 'good',
        source: '/',
        subject: null,
        orderingKey: `key-${at}`,
        data: `${at}`,
        headers: {},
        occurredAt: new Date(),
      })),
    )
    relay.start()
    try {
      await waitFor(async () => (await deadLetters(log.deadLetters).stats()).depth === 10, {
        what: 'the dead letters',
        timeoutMs: 3_000,
      })
      await waitFor(() => took.length === 30, { what: 'the others' })
      const { items } = await deadLetters(log.deadLetters).list()
      expect(new Set(items.map(({ reason }) => reason))).toEqual(new Set(['permanent']))
    } finally {
      await relay.stop()
    }
  },
)
