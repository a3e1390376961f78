import { kafkaPublisher } from '@oncekey/outbox/kafka'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BrokerPair, startBrokerPair } from './broker-pair.ts'

const TOPIC = 'orders'

let brokers: BrokerPair

beforeAll(async () => {
  brokers = await startBrokerPair(TOPIC)
})
afterAll(() => brokers.stop())

/** A producer of `kafkajs` that numbers its messages or does not. */
function producerThat({ idempotent }: { idempotent: boolean }) {
  return new Kafka({
    clientId: 'shop',
    brokers: [brokers.broker],
    logLevel: logLevel.NOTHING,
    requestTimeout: 200,
  }).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 5, initialRetryTime: 10 },
    idempotent,
  })
}

/**
 * Sends two messages at once, after one alone. The first of the two is stored, and its answer lost.
 * Resolves to what the brokers have when the client has reported all three as sent.
 */
async function storedOf(idempotent: boolean): Promise<{ messages: number; different: number }> {
  const key = `${idempotent}`
  const producer = producerThat({ idempotent })
  const send = (n: number) => {
    const value = JSON.stringify({ key, n })
    return producer.send({ topic: TOPIC, acks: -1, messages: [{ key, value, partition: 0 }] })
  }
  await producer.connect()
  try {
    await send(0)
    brokers.loseNextAnswer()
    await Promise.all([send(1), send(2)])
  } finally {
    await producer.disconnect()
  }
  const stored = brokers.stored.map(({ json }) => json).filter((json) => json.includes(key))
  return { messages: stored.length, different: new Set(stored).size }
}

test('a producer of kafkajs that numbers messages reports as sent what the broker has dropped', async () => {
  expect(await storedOf(true)).toEqual({ messages: 3, different: 2 })
})

test('one that does not number them sends again what got no answer, and all the rest once', async () => {
  expect(await storedOf(false)).toEqual({ messages: 4, different: 3 })
})

test('a producer that numbers messages is refused', async () => {
  const given = (idempotent: boolean) => () =>
    kafkaPublisher({ name: 'kafka', producer: producerThat({ idempotent }), topic: TOPIC })
  expect(given(true)).toThrow(/`idempotent: true`.* lost/)
  expect(given(false)).not.toThrow()
})
