import { connect } from 'node:net'
import { deadLetters } from '@oncekey/outbox'
import { kafkaPublisher } from '@oncekey/outbox/kafka'
import { postgresLog, transact } from '@oncekey/postgres'
import {
  type KafkaStandIn,
  startKafkaStandIn,
  startProxy,
  type TcpProxy,
  waitFor,
} from '@oncekey/test-servers'
import { Kafka as CloudEvents } from 'cloudevents'
import { Kafka, KafkaJSProtocolError, logLevel, Partitioners, type Producer } from 'kafkajs'
import type { Pool, PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import {
  allConfirmed,
  distinct,
  emitNumbered,
  expectAllInOrder,
  impatient,
  type Numbered,
  relaying,
} from './broker-stream.ts'

const database = logDatabase()
let pool: Pool
let kafka: KafkaStandIn
let proxy: TcpProxy
const producers: Producer[] = []

beforeAll(async () => {
  pool = database.pool()
  kafka = await startKafkaStandIn()
  proxy = await startProxy({ host: '127.0.0.1', port: Number(kafka.broker.split(':')[1]) })
})
afterAll(async () => {
  for (const producer of producers) await producer.disconnect()
  await proxy?.stop()
  await kafka?.stop()
})

/** Every connection goes through the proxy, also those to brokers that the first one names. */
async function connected(): Promise<Producer> {
  const client = new Kafka({
    clientId: 'shop',
    brokers: [kafka.broker],
    logLevel: logLevel.NOTHING,
    requestTimeout: 2_000,
    retry: { retries: 1, initialRetryTime: 50 },
    socketFactory: ({ onConnect }) => connect(proxy.port, '127.0.0.1', onConnect),
  })
  const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  producers.push(producer)
  await producer.connect()
  return producer
}

test('publishes a CloudEvents message that the CloudEvents library reads, keyed by the ordering key', async () => {
  const topic = 'described'
  const publisher = kafkaPublisher<PoolClient>({
    ...impatient,
    name: topic,
    producer: await connected(),
    topic,
  })
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) =>
      emit({
        type: 'order.created',
        subject: 'größe 1',
        orderingKey: 'acme',
        source: '/shop',
        data: { sum: 5 },
        headers: { tenant: 'acme', ce_id: 'mine' },
      }),
    )
    await waitFor(async () => (await kafka.read(topic)).length === 1, { what: 'the message' })
  })
  const [{ key, value, headers }] = (await kafka.read(topic)) as [
    Awaited<ReturnType<typeof kafka.read>>[number],
  ]
  expect({ key, value }).toEqual({ key: 'acme', value: '{"sum":5}' })
  expect(headers).toMatchObject({ tenant: 'acme' })
  const read = CloudEvents.toEvent({ key, value, body: value, headers } as never)
  expect(JSON.parse(JSON.stringify(read))).toMatchObject({
    specversion: '1.0',
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    source: '/shop',
    type: 'order.created',
    subject: 'größe 1',
    partitionkey: 'acme',
  })
})

test('loses no event and keeps the order while acknowledgements are lost', async () => {
  const topic = 'numbered'
  const publisher = kafkaPublisher<PoolClient>({
    ...impatient,
    name: topic,
    producer: await connected(),
    topic,
  })
  const keys = Array.from({ length: 20 }, (_, at) => `k${at}`)
  const numbered = async (): Promise<Numbered[]> =>
    (await kafka.read(topic)).map(({ value, headers }) => ({
      ...JSON.parse(value),
      id: headers.ce_id,
    }))
  const arrived = (count: number) =>
    waitFor(async () => distinct(await numbered()) === count, {
      what: `${count} events`,
      intervalMs: 200,
      timeoutMs: 60_000,
    })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 5)
    await arrived(100)
    for (const from of [5, 10]) {
      await allConfirmed(pool, topic)
      // The broker stores what it is sent, and its replies are lost.
      proxy.stallDownstream()
      await emitNumbered(pool, keys, 5, from)
      await arrivedSome(numbered, from * keys.length)
      proxy.cut()
      proxy.resume()
      await arrived((from + 5) * keys.length)
    }
  })
  const messages = await numbered()
  expectAllInOrder(messages, keys, 15)
  expect(messages.length).toBeGreaterThan(300)
}, 300_000)

async function arrivedSome(numbered: () => Promise<Numbered[]>, more: number): Promise<void> {
  await waitFor(async () => distinct(await numbered()) > more, {
    what: 'a message without an answer',
    intervalMs: 200,
    timeoutMs: 60_000,
  })
}

test('an invalid topic is permanent, and neither an unknown one nor a broker is', async () => {
  const { isPermanent } = kafkaPublisher({
    name: 'x',
    producer: await connected(),
    topic: 'orders',
  })
  const error = (type: string) =>
    new KafkaJSProtocolError({ type, code: 0, message: type } as never)
  expect(isPermanent(error('MESSAGE_TOO_LARGE'))).toBe(true)
  expect(isPermanent(new Error('gave up', { cause: error('INVALID_TOPIC_EXCEPTION') }))).toBe(true)
  expect(isPermanent(error('UNKNOWN_TOPIC_OR_PARTITION'))).toBe(false)
  expect(isPermanent(error('NOT_ENOUGH_REPLICAS'))).toBe(false)
})

test('a producer that nobody has connected is said in the error, and costs no event', async () => {
  const producer = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING }).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  const topic = 'later'
  const publisher = kafkaPublisher<PoolClient>({ ...impatient, name: topic, producer, topic })
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => emit({ type: 'order.created' }))
    const { deadLetters: source } = postgresLog({ client: pool })
    await waitFor(
      async () => {
        const { items } = await source.listRetrying({ origin: topic }, { limit: 1 })
        return items[0]?.error?.message.includes('disconnected') === true
      },
      { what: 'the failure on file', timeoutMs: 30_000 },
    )
    await producer.connect()
    producers.push(producer)
    await waitFor(async () => (await kafka.read(topic)).length === 1, {
      what: 'the event',
      timeoutMs: 60_000,
    })
  })
  expect((await deadLetters(postgresLog({ client: pool }).deadLetters).list()).items).toEqual([])
})
