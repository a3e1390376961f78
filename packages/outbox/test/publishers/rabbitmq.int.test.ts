import { deadLetters } from '@oncekey/outbox'
import { amqplibConnection } from '@oncekey/outbox/amqplib'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { postgresLog, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { connect } from 'amqplib'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { distinct, emitNumbered, expectAllInOrder, impatient, relaying } from './broker-stream.ts'
import { connected, database, freshExchange, pool, rabbit } from './rabbit-exchanges.ts'

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

test('refuses invalid options at construction', () => {
  const connection = connected()
  const made = (options: object) => () =>
    rabbitmqPublisher({ name: 'x', connection, exchange: 'shop', ...options })
  expect(made({ connection: undefined })).toThrow(/new Connection\(url\)/)
  expect(made({ exchange: undefined })).toThrow(/exchange must be/)
  expect(made({ routingKey: 'order' })).toThrow(/event\.type/)
  expect(made({ maxMessageBytes: 0 })).toThrow(/whole number/)
})

// A bug: a publisher that was closed failed for every event from then on, so a relay that was
// started again in the same process delivered nothing.
test.each([
  ['rabbitmq-client', () => connected()],
  ['amqplib', () => amqplibConnection(() => connect(rabbit.url()))],
])('a publisher that was closed opens another channel for the next event: %s', async (_, made) => {
  const { name, numbered } = await freshExchange()
  const publisher = rabbitmqPublisher<PoolClient>({
    ...impatient,
    name,
    connection: made(),
    exchange: name,
  })
  for (const n of [0, 1]) {
    await relaying(pool, [publisher], async () => {
      await emitNumbered(pool, [name], 1, n)
      await waitFor(() => distinct(numbered()) === n + 1, { what: `event ${n}` })
    })
    await publisher.close()
  }
  expectAllInOrder(numbered(), [name], 2)
})
