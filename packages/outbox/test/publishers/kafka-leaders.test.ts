import { memoryLog, memoryStore, outboxEvent } from '@oncekey/core'
import { createRelay } from '@oncekey/outbox'
import { kafkaPublisher } from '@oncekey/outbox/kafka'
import { waitFor } from '@oncekey/test-servers'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { startBrokerPair } from './broker-pair.ts'

const TOPIC = 'orders'

/** A log with events of many keys, `each` for every key. */
async function logOf(keys: readonly string[], each: number) {
  const log = memoryLog(memoryStore())
  for (let n = 0; n < each; n += 1) {
    await log.append(
      keys.map((key) =>
        outboxEvent(
          { type: 'order.numbered', subject: key, data: { key, n } },
          { source: '/', traceparent: undefined },
        ),
      ),
    )
  }
  return log
}

// A bug: the messages of a request went to the client together. When one broker had stored its part
// and the other was no longer the leader of its partitions, kafkajs asked for the new leaders, and
// did not send anything more to a broker that had answered. It reported success, and the events of
// the partitions that had moved to that broker were lost.
test('no event is lost when the partitions of one broker move to another that has answered', async () => {
  const brokers = await startBrokerPair(TOPIC)
  const client = new Kafka({
    clientId: 'shop',
    brokers: [brokers.broker],
    logLevel: logLevel.NOTHING,
    retry: { retries: 5, initialRetryTime: 10 },
  })
  const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  const keys = Array.from({ length: 20 }, (_, at) => `k${at}`)
  try {
    await producer.connect()
    // The client learns the leaders before they move.
    await producer.send({ topic: TOPIC, acks: -1, messages: [{ key: 'first', value: 'x' }] })
    brokers.lead(0, 0)
    const log = await logOf(keys, 3)
    const broker = kafkaPublisher({ name: 'kafka', producer, topic: TOPIC })
    const relay = createRelay({ log, minPollMs: 1, maxPollMs: 5, consumers: [broker] })
    relay.start()
    try {
      await waitFor(() => brokers.refusals() > 0, { what: 'a refusal' })
      await waitFor(async () => (await log.lag('kafka')).events === 0, { what: 'all to be done' })
    } finally {
      await relay.stop()
    }
    expect(new Set(brokers.stored.map(({ partition }) => partition))).toEqual(new Set([0, 1]))
    for (const key of keys) {
      const numbers = brokers.stored
        .map(({ json }) => JSON.parse(json) as { key: string; n: number })
        .filter((message) => message.key === key)
        .map(({ n }) => n)
      expect([key, numbers]).toEqual([key, [0, 1, 2]])
    }
  } finally {
    await producer.disconnect()
    await brokers.stop()
  }
})
