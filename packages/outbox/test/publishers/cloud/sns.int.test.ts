import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns'
import { type SnsPublisherOptions, snsPublisher } from '@oncekey/outbox/sns'
import { transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import {
  allConfirmed,
  deadOf,
  distinct,
  emitNumbered,
  expectAllInOrder,
  impatient,
  missingOnFile,
  relaying,
} from '../broker-stream.ts'
import { createQueue, emulator, freshName, pool, proxy, sns } from './aws-queues.ts'

const arnOf = (topic: string) => `arn:aws:sns:us-east-1:000000000000:${topic}`

/** A topic with a queue of the same name behind it, which gets what the filter lets through. */
async function createTopic(name: string, filter?: object) {
  const fifo = name.endsWith('.fifo')
  const queue = await createQueue(name)
  // The clients of this test go through the proxy; its topics need not.
  const direct = new SNSClient({
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${emulator.port}`,
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
  })
  await direct.send(
    new CreateTopicCommand({ Name: name, ...(fifo ? { Attributes: { FifoTopic: 'true' } } : {}) }),
  )
  direct.destroy()
  emulator.subscribe({
    topic: name,
    queue: name,
    attributes: {
      RawMessageDelivery: 'true',
      ...(filter === undefined ? {} : { FilterPolicy: JSON.stringify(filter) }),
    },
  })
  return queue
}

function publisherTo(name: string, options: Partial<SnsPublisherOptions> = {}) {
  const topicArn = arnOf(name)
  return snsPublisher<PoolClient>({ ...impatient, name, client: sns, topicArn, ...options })
}

test('publishes a CloudEvents message, and a filter policy of a subscription sees its type', async () => {
  const queue = await createTopic(freshName(), { 'ce-type': ['order.created'] })
  await relaying(pool, [publisherTo(queue.name)], async () => {
    await transact(pool, (_, emit) => {
      emit({ type: 'order.viewed' })
      emit({ type: 'order.created', subject: 'größe 1', source: '/shop', data: { sum: 5 } })
    })
    await waitFor(async () => (await queue.drain()).length === 1, { what: 'the message' })
  })
  const [{ attributes, event }] = (await queue.drain()) as [
    Awaited<ReturnType<typeof queue.drain>>[number],
  ]
  expect(attributes).toEqual({ 'ce-type': 'order.created', 'ce-source': '/shop' })
  expect(event).toMatchObject({
    specversion: '1.0',
    type: 'order.created',
    subject: 'größe 1',
    data: { sum: 5 },
  })
})

test('a FIFO topic passes on every event once and in order while answers are lost', async () => {
  const queue = await createTopic(`${freshName()}.fifo`)
  const keys = Array.from({ length: 20 }, (_, at) => `${queue.name}-k${at}`)
  const publisher = publisherTo(queue.name, { attemptTimeoutMs: 2_000 })
  const arrived = (count: number) =>
    waitFor(async () => distinct(await queue.numbered()) === count, {
      what: `${count} events`,
      timeoutMs: 60_000,
      intervalMs: 50,
    })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 5)
    await arrived(100)
    await allConfirmed(pool, queue.name)
    proxy.stallDownstream()
    await emitNumbered(pool, keys, 5, 5)
    await waitFor(async () => distinct(await queue.numbered()) > 100, {
      what: 'a message without an answer',
      timeoutMs: 30_000,
    })
    proxy.cut()
    proxy.resume()
    await arrived(200)
  })
  const messages = await queue.numbered()
  expectAllInOrder(messages, keys, 10)
  expect(messages).toHaveLength(200)
}, 300_000)

test('a message that the topic does not take is the only dead letter, and no other is sent twice', async () => {
  const queue = await createTopic(freshName())
  // More than the emulator's topics take, as a topic with a limit below that of the option would.
  const publisher = publisherTo(queue.name, {
    attemptTimeoutMs: 60_000,
    maxRequestBytes: 1_048_576,
  })
  const [letter] = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 20; n += 1) {
        emit({ type: 'order.created', data: n === 10 ? 'x'.repeat(300_000) : n })
      }
    })
    await waitFor(async () => (await queue.drain()).length === 19, { what: 'the others' })
    return deadOf(pool, queue.name, 1)
  })
  expect(letter).toMatchObject({ attempts: 1, reason: 'permanent' })
  expect(letter?.error?.message).toContain('InvalidParameter')
  expect(new Set((await queue.drain()).map(({ event }) => event.data)).size).toBe(19)
})

test('a topic created after its events were emitted gets them without a redrive', async () => {
  const name = freshName()
  // A topic without a subscription takes events and passes them on to nobody, so the topic is
  // missing until its queue is subscribed.
  let topic = `${name}-missing`
  const publisher = publisherTo(name, { topicArn: () => arnOf(topic) })
  const found = await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, [name], 3)
    await missingOnFile(pool, name)
    const queue = await createTopic(name)
    topic = name
    await waitFor(async () => distinct(await queue.numbered()) === 3, {
      what: 'the events',
      timeoutMs: 60_000,
    })
    return queue.numbered()
  })
  expect(distinct(found)).toBe(3)
})

test('refuses invalid options at construction', () => {
  const made = (options: object) => () => publisherTo('orders', options)
  expect(made({})).not.toThrow()
  expect(made({ client: {} })).toThrow(/client: new SNSClient/)
  expect(made({ topicArn: 'orders' })).toThrow(/topicArn must be/)
})
