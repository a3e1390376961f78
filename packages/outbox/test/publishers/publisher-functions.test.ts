import { memoryLog, memoryStore } from '@oncekey/core'
import { type Consumer, createRelay, type DeliveredEvent, deadLetters } from '@oncekey/outbox'
import { kafkaPublisher } from '@oncekey/outbox/kafka'
import { natsPublisher } from '@oncekey/outbox/nats'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { redisPublisher } from '@oncekey/outbox/redis'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'

type Told = (event: DeliveredEvent) => string

/** Each publisher, on a client that accepts every message and records it. */
const publishers: Record<string, (told: Told, took: (id: string) => void) => Consumer> = {
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
