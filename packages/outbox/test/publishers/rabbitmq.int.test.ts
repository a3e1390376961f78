import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { deadLetters } from '@oncekey/outbox'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { postgresLog, transact } from '@oncekey/postgres'
import {
  type GivenOrOwn,
  givenOrOwn,
  type RabbitServer,
  startProxy,
  startRabbit,
  waitFor,
} from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { type AsyncMessage, Connection } from 'rabbitmq-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
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
let rabbit: GivenOrOwn<RabbitServer>
const connections: Connection[] = []
/**
 * Exchanges and queues to delete afterwards, so that a server given to the tests is left as it was.
 */
const removals: (() => Promise<unknown>)[] = []
let names = 0
let lasting: Awaited<ReturnType<typeof freshExchange>>

beforeAll(async () => {
  pool = database.pool()
  rabbit = await givenOrOwn('RABBITMQ_URL', startRabbit)
  // A queue declared just before a SIGKILL is not on disk yet: for seconds, and in RabbitMQ 3.10
  // for minutes if it is a quorum queue.
  lasting = await freshExchange('classic', (await rabbit.own()).url)
}, 180_000)
afterAll(async () => {
  try {
    await Promise.all(removals.map((remove) => remove()))
  } finally {
    for (const connection of connections.splice(0)) connection.unsafeDestroy()
    await rabbit?.stop()
  }
})

function connected(url = rabbit.url()): Connection {
  const connection = new Connection({ url, retryLow: 50, retryHigh: 500, acquireTimeout: 3_000 })
  // The client reconnects, and the publisher reports what fails.
  connection.on('error', () => {})
  connections.push(connection)
  return connection
}

/**
 * Creates an exchange with a queue for every key that begins with `order.`, and reads what arrived
 * in it.
 */
async function freshExchange(kind: 'quorum' | 'classic' = 'quorum', url = rabbit.url()) {
  names += 1
  const name = `oncekey-${process.pid}-${names}`
  const messages: AsyncMessage[] = []
  const queue = { queue: name, durable: true, arguments: { 'x-queue-type': kind } }
  const exchange = { exchange: name, type: 'topic', durable: true }
  const connection = connected(url)
  const consumer = connection.createConsumer(
    {
      queue: name,
      queueOptions: queue,
      exchanges: [exchange],
      queueBindings: [{ exchange: name, queue: name, routingKey: 'order.*' }],
    },
    async (message) => {
      messages.push(message)
    },
  )
  consumer.on('error', () => {})
  await new Promise<void>((resolve) => {
    consumer.once('ready', resolve)
  })
  if (rabbit.isGiven && url === rabbit.url()) {
    removals.push(async () => {
      await consumer.close()
      await connection.queueDelete(name)
      await connection.exchangeDelete({ exchange: name })
    })
  }
  const numbered = (): Numbered[] =>
    messages.map(({ messageId, body }) => ({ ...body, id: String(messageId) }))
  return { name, messages, numbered }
}

test('publishes a persistent CloudEvents message in binary mode', async () => {
  const { name, messages } = await freshExchange()
  const publisher = rabbitmqPublisher<PoolClient>({
    ...impatient,
    name,
    connection: connected(),
    exchange: name,
  })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) =>
      emit({
        type: 'order.created',
        subject: 'größe 1',
        source: '/shop',
        data: { sum: 5 },
        headers: { traceparent, tenant: 'acme', CC: 'elsewhere', 'x-delay': '9' },
      }),
    )
    await waitFor(() => messages.length === 1, { what: 'the message' })
  })
  await publisher.close()
  expect(messages[0]).toMatchObject({
    routingKey: 'order.created',
    durable: true,
    type: 'order.created',
    contentType: 'application/json',
    body: { sum: 5 },
  })
  expect(messages[0]?.headers).toEqual({
    tenant: 'acme',
    traceparent,
    'cloudEvents:specversion': '1.0',
    'cloudEvents:id': messages[0]?.messageId,
    'cloudEvents:source': '/shop',
    'cloudEvents:type': 'order.created',
    'cloudEvents:subject': 'größe 1',
    'cloudEvents:time': expect.stringMatching(/^\d{4}-.*Z$/),
    'cloudEvents:partitionkey': 'größe 1',
    'cloudEvents:traceparent': traceparent,
  })
})

test('only events that no queue takes become dead letters after missingForMs', async () => {
  const { name, numbered } = await freshExchange()
  const publisher = rabbitmqPublisher<PoolClient>({
    ...impatient,
    name,
    connection: connected(),
    exchange: name,
    missingForMs: 100,
  })
  const keys = Array.from({ length: 20 }, (_, at) => `${name}-k${at}`)
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  const letters = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (const key of keys) {
        emit({ type: 'order.numbered', subject: key, data: { key, n: 0 } })
        emit({ type: 'unheard.of', subject: `${key}-u` })
      }
    })
    await waitFor(() => distinct(numbered()) === 20, { what: 'the routable ones' })
    return waitFor(
      async () => {
        const { items } = await dead.list({ origin: name })
        return items.length === 20 && items
      },
      { what: 'the dead letters' },
    )
  })
  expectAllInOrder(numbered(), keys, 1)
  for (const letter of letters) {
    expect(letter).toMatchObject({ type: 'unheard.of', reason: 'permanent' })
    expect(letter.error?.message).toContain('NO_ROUTE')
  }
})

test('a queue bound after events were emitted gets them without a redrive', async () => {
  const { name } = await freshExchange()
  const publisher = rabbitmqPublisher<PoolClient>({
    ...impatient,
    name,
    connection: connected(),
    exchange: '',
    routingKey: () => `${name}-late`,
  })
  const own = connected()
  const letters = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 20; n += 1) emit({ type: 'order.late', subject: `${name}-${n}` })
    })
    await waitFor(
      async () =>
        (
          await database.query<{ n: number }>(
            'select count(*)::int as n from oncekey.deliveries where consumer = $1',
            [name],
          )
        )[0]?.n === 20,
      { what: 'all of them to be on file' },
    )
    await own.queueDeclare({ queue: `${name}-late`, exclusive: true })
    const count = async () =>
      (await own.queueDeclare({ queue: `${name}-late`, passive: true })).messageCount
    await waitFor(async () => (await count()) === 20, { what: 'all of them', timeoutMs: 30_000 })
    return deadLetters(postgresLog({ client: pool }).deadLetters).list({ origin: name })
  })
  expect(letters.items).toEqual([])
})

test.each([
  ['it is too large,', { maxMessageBytes: 10 }, /more than maxMessageBytes/],
  ['its routing key is too long,', { routingKey: () => 'x'.repeat(256) }, /not a routing key/],
  ['its headers are larger than a frame,', {}, /frame size of \d+ bytes exceeds/, 8_000],
])('when %s the event becomes a dead letter', async (_, options, message, headerBytes = 1) => {
  names += 1
  const name = `dead${names}`
  const publisher = rabbitmqPublisher<PoolClient>({
    ...impatient,
    name,
    connection: connected(),
    exchange: '',
    ...options,
  })
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  const [letter] = await relaying(pool, [publisher], async () => {
    await transact(pool, (_tx, emit) =>
      emit({
        type: 'order.lost',
        data: 'x'.repeat(100),
        headers: { note: 'x'.repeat(headerBytes) },
      }),
    )
    return waitFor(
      async () => {
        const { items } = await dead.list({ origin: name })
        return items.length > 0 && items
      },
      { what: 'the dead letter' },
    )
  })
  expect(letter).toMatchObject({ attempts: 1 })
  expect(letter?.error?.message).toMatch(message)
})

test('events wait for a missing exchange, and arrive in order once it exists', async () => {
  const behind = await freshExchange()
  const name = `${behind.name}-later`
  const connection = connected()
  const publisher = rabbitmqPublisher<PoolClient>({
    ...impatient,
    name,
    connection,
    exchange: name,
  })
  const keys = Array.from({ length: 20 }, (_, at) => `${name}-k${at}`)
  const told: string[] = []
  const heard = (message: unknown) => {
    const { consumer, error } = message as { consumer: string; error: Error }
    if (consumer === name) told.push(error.message)
  }
  subscribe('oncekey:delivery', heard)
  try {
    await relaying(pool, [publisher], async () => {
      await emitNumbered(pool, keys, 5)
      await waitFor(() => told.some((each) => each.includes('no exchange')), { what: 'a refusal' })
      // An alternate exchange routes its messages from the first moment on; a binding would be
      // added later.
      const settings = { 'alternate-exchange': behind.name }
      await connection.exchangeDeclare({ exchange: name, type: 'topic', arguments: settings })
      removals.push(() => connection.exchangeDelete({ exchange: name }))
      await waitFor(() => distinct(behind.numbered()) === 100, {
        what: 'all events',
        timeoutMs: 40_000,
      })
    })
    expectAllInOrder(behind.numbered(), keys, 5)
  } finally {
    unsubscribe('oncekey:delivery', heard)
  }
})

test('resends an event whose confirm is lost under the same id', async () => {
  const { name, numbered } = await freshExchange()
  const proxy = await startProxy(rabbit.address())
  try {
    const publisher = rabbitmqPublisher<PoolClient>({
      ...impatient,
      name,
      connection: connected(proxy.through(rabbit.url())),
      exchange: name,
    })
    await relaying(pool, [publisher], async () => {
      await emitNumbered(pool, [name], 1)
      await waitFor(() => numbered().length === 1, { what: 'the first' })
      const lost = proxy.dropAfter('"n":1}')
      await emitNumbered(pool, [name], 4, 1)
      await lost
      await waitFor(() => distinct(numbered()) === 5, { what: 'all five', timeoutMs: 30_000 })
    })
    expectAllInOrder(numbered(), [name], 5)
    expect(numbered().filter(({ n }) => n === 1)).toHaveLength(2)
  } finally {
    await proxy.stop()
  }
})

test('loses no event and keeps the order when the broker is killed mid-stream and comes back', async () => {
  const { name, numbered } = lasting
  const own = await rabbit.own()
  const keys = Array.from({ length: 20 }, (_, at) => `${name}-k${at}`)
  const publisher = rabbitmqPublisher<PoolClient>({
    ...impatient,
    name,
    connection: connected(own.url),
    exchange: name,
  })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 5)
    await waitFor(() => numbered().length > 20, { what: 'some to be there' })
    await own.crash()
    await emitNumbered(pool, keys, 5, 5)
    await own.restart()
    await waitFor(() => distinct(numbered()) === 200, { what: 'all events', timeoutMs: 60_000 })
  })
  expectAllInOrder(numbered(), keys, 10)
}, 240_000)

test('refuses invalid options at construction', () => {
  const connection = connected()
  const made = (options: object) => () =>
    rabbitmqPublisher({ name: 'x', connection, exchange: 'shop', ...options })
  expect(made({ connection: undefined })).toThrow(/new Connection\(url\)/)
  expect(made({ exchange: undefined })).toThrow(/exchange must be/)
  expect(made({ routingKey: 'order' })).toThrow(/event\.type/)
  expect(made({ maxMessageBytes: 0 })).toThrow(/whole number/)
})
