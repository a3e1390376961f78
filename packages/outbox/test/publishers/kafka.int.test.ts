import { deadLetters } from '@oncekey/outbox'
import { type KafkaMessage, type KafkaProducer, kafkaPublisher } from '@oncekey/outbox/kafka'
import { postgresLog, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { NetworkError, Producer, ProtocolError, ResponseError } from '@platformatic/kafka'
import { Kafka } from 'cloudevents'
import type { Pool, PoolClient } from 'pg'
import { beforeAll, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import {
  distinct,
  emitNumbered,
  expectAllInOrder,
  impatient,
  type Numbered,
  relaying,
} from './broker-stream.ts'

const database = logDatabase()
let pool: Pool
let names = 0

beforeAll(() => {
  pool = database.pool()
})

/**
 * No Kafka runs here. This double of a producer stores what it accepts, and fails on demand with
 * the error classes of `@platformatic/kafka` itself.
 */
function doubleOfProducer() {
  names += 1
  const kept: KafkaMessage[] = []
  const requests: number[] = []
  let underWay = 0
  const double = {
    name: `kafka${names}`,
    kept,
    requests,
    most: 0,
    /** Called before anything is stored. If it throws, the error is the broker's reply. */
    refuse: (_: KafkaMessage[]): void => {},
    /** Called after the message is stored. If it throws, the reply is lost. */
    lose: (_: KafkaMessage[]): void => {},
    producer: {
      async send({ messages, acks, idempotent }) {
        expect({ acks, idempotent }).toEqual({ acks: -1, idempotent: false })
        underWay += 1
        double.most = Math.max(double.most, underWay)
        try {
          await new Promise((resolve) => setTimeout(resolve, 2))
          double.refuse(messages)
          requests.push(messages.length)
          kept.push(...messages)
          double.lose(messages)
        } finally {
          underWay -= 1
        }
      },
    } satisfies KafkaProducer as KafkaProducer,
    numbered: (): Numbered[] =>
      kept.map(({ value, headers }) => ({
        ...JSON.parse(value.toString()),
        id: headersOf(headers).ce_id,
      })),
  }
  return double
}

function headersOf(headers: Map<Buffer, Buffer>): Record<string, string> {
  return Object.fromEntries([...headers].map(([name, value]) => [`${name}`, `${value}`]))
}

const tooLarge = () =>
  new ResponseError(0, 9, { '/topics/0': [10, 'too large'] }, {}, {}) as unknown as Error

test('publishes a CloudEvents message that the CloudEvents library reads, keyed by the ordering key', async () => {
  const { name, kept, producer } = doubleOfProducer()
  const publisher = kafkaPublisher<PoolClient>({ ...impatient, name, producer, topic: 'orders' })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) =>
      emit({
        type: 'order.created',
        subject: 'größe 1',
        orderingKey: 'acme',
        source: '/shop',
        data: { sum: 5 },
        headers: { traceparent, tenant: 'acme', ce_id: 'mine' },
      }),
    )
    await waitFor(() => kept.length === 1, { what: 'the message' })
  })
  const [{ headers, key, topic, value }] = kept as [KafkaMessage]
  expect({ topic, key: `${key}`, value: `${value}` }).toEqual({
    topic: 'orders',
    key: 'acme',
    value: '{"sum":5}',
  })
  expect(headersOf(headers)).toMatchObject({ tenant: 'acme', traceparent })
  const read = Kafka.toEvent({
    key: `${key}`,
    value: `${value}`,
    body: `${value}`,
    headers: headersOf(headers),
  } as never)
  expect(JSON.parse(JSON.stringify(read))).toMatchObject({
    specversion: '1.0',
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    source: '/shop',
    type: 'order.created',
    subject: 'größe 1',
    partitionkey: 'acme',
    traceparent,
    datacontenttype: 'application/json',
  })
})

test('loses no event and keeps the order through lost answers and broker outages', async () => {
  const double = doubleOfProducer()
  const { name, numbered, producer } = double
  let calls = 0
  double.refuse = () => {
    calls += 1
    if (calls % 3 === 0) throw new NetworkError('connection refused')
  }
  double.lose = () => {
    if (calls % 4 === 0) throw new NetworkError('connection closed')
  }
  const keys = Array.from({ length: 20 }, (_, at) => `${name}-k${at}`)
  const publisher = kafkaPublisher<PoolClient>({ ...impatient, name, producer, topic: 'orders' })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 10)
    await waitFor(() => distinct(numbered()) === 200, { what: 'all events', timeoutMs: 40_000 })
  })
  expectAllInOrder(numbered(), keys, 10)
  expect(numbered().length).toBeGreaterThan(200)
  expect(double.most).toBe(1)
})

// A bug: the topic's later messages waited behind that request for as long as the process ran.
test('abandons a request that the client never answers, and continues the topic in order', async () => {
  const { name, numbered, producer } = doubleOfProducer()
  let calls = 0
  const publisher = kafkaPublisher<PoolClient>({
    ...impatient,
    attemptTimeoutMs: 500,
    name,
    producer: {
      send(options) {
        calls += 1
        return calls === 2 ? new Promise(() => {}) : producer.send(options)
      },
    },
    topic: 'orders',
  })
  const keys = Array.from({ length: 5 }, (_, at) => `${name}-k${at}`)
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 6)
    await waitFor(() => distinct(numbered()) === 30, { what: 'all events', timeoutMs: 20_000 })
  })
  expectAllInOrder(numbered(), keys, 6)
  expect(calls).toBeGreaterThan(2)
})

test('events under way together share requests, and one that is too large becomes the only dead letter', async () => {
  const double = doubleOfProducer()
  const { kept, name, producer, requests } = double
  double.refuse = (messages) => {
    if (messages.some(({ value }) => value.length > 1_000)) throw tooLarge()
  }
  const publisher = kafkaPublisher<PoolClient>({ ...impatient, name, producer, topic: 'orders' })
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  const letters = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 50; n += 1) {
        emit({ type: 'order.created', data: n === 25 ? 'x'.repeat(2_000) : 'x' })
      }
    })
    // If all hundred were read at once they would be one request, which would be refused and then
    // sent one by one.
    await waitFor(() => kept.length === 49, { what: 'those beside the large one' })
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 50; n += 1) emit({ type: 'order.created', data: 'y' })
    })
    await waitFor(() => kept.length === 99, { what: 'the others' })
    return waitFor(
      async () => {
        const { items } = await dead.list({ origin: name })
        return items.length > 0 && items
      },
      { what: 'the dead letter' },
    )
  })
  expect(letters).toHaveLength(1)
  expect(letters[0]).toMatchObject({ reason: 'permanent', attempts: 1 })
  expect(Math.max(...requests)).toBeGreaterThan(1)
})

test('a refused topic holds up no other topic and makes no other message be sent twice', async () => {
  const double = doubleOfProducer()
  const { kept, name, numbered, producer } = double
  let isRefused = true
  double.refuse = (messages) => {
    if (isRefused && messages.some(({ topic }) => topic === 'bad')) {
      // A broker stores the other topic's messages of the same request.
      kept.push(...messages.filter(({ topic }) => topic !== 'bad'))
      throw new ProtocolError('TOPIC_AUTHORIZATION_FAILED')
    }
  }
  const publisher = kafkaPublisher<PoolClient>({
    ...impatient,
    attemptTimeoutMs: 120_000,
    name,
    producer,
    topic: ({ subject }) => (subject?.endsWith('bad') ? 'bad' : 'good'),
  })
  const keys = [`${name}-good`, `${name}-bad`]
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 50)
    await waitFor(() => kept.length === 50, { what: 'those of the other' })
    isRefused = false
    await waitFor(() => distinct(numbered()) === 100, { what: 'all', timeoutMs: 60_000 })
  })
  expectAllInOrder(numbered(), keys, 50)
  expect(numbered()).toHaveLength(100)
})

test('a protocol error about a message is permanent, and one about a broker is not', () => {
  const { isPermanent } = kafkaPublisher({
    name: 'x',
    producer: doubleOfProducer().producer,
    topic: 'orders',
  })
  expect(isPermanent(tooLarge())).toBe(true)
  expect(isPermanent(new ProtocolError('INVALID_TOPIC_EXCEPTION'))).toBe(true)
  expect(isPermanent(new ProtocolError('NOT_ENOUGH_REPLICAS'))).toBe(false)
  expect(isPermanent(new ProtocolError('UNKNOWN_TOPIC_OR_PARTITION'))).toBe(false)
  expect(isPermanent(new NetworkError('gone'))).toBe(false)
  expect(isPermanent(undefined)).toBe(false)
})

test('refuses invalid options at construction, and accepts a real producer', async () => {
  const producer = new Producer({ clientId: 'x', bootstrapBrokers: ['127.0.0.1:9'], retries: 0 })
  const made = (options: object) => () =>
    kafkaPublisher({ name: 'x', producer, topic: 'orders', ...options })
  expect(made({})).not.toThrow()
  expect(made({ producer: {} })).toThrow(/new Producer/)
  expect(made({ topic: 'a b' })).toThrow(/topic must be/)
  expect(made({ batchSize: 0 })).toThrow(/whole number/)
  await producer.close()
})
