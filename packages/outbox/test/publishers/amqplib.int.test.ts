import { setImmediate } from 'node:timers/promises'
import { deadLetters } from '@oncekey/outbox'
import { amqplibConnection } from '@oncekey/outbox/amqplib'
import { type RabbitPublisherOptions, rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { postgresLog, transact } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import { connect } from 'amqplib'
import type { PoolClient } from 'pg'
import { beforeAll, expect, test } from 'vitest'
import { distinct, emitNumbered, expectAllInOrder, impatient, relaying } from './broker-stream.ts'
import { freshExchange, nextNumber, pool, rabbit } from './rabbit-exchanges.ts'

let lasting: Awaited<ReturnType<typeof freshExchange>>

beforeAll(async () => {
  // A queue declared just before a SIGKILL is not on disk yet.
  lasting = await freshExchange('classic', (await rabbit.own()).url)
}, 300_000)

function amqplibPublisher(options: Partial<RabbitPublisherOptions>, url = rabbit.url()) {
  const connection = amqplibConnection(() => connect(url, { timeout: 3_000 }))
  const name = `amqplib${nextNumber()}`
  return rabbitmqPublisher<PoolClient>({ ...impatient, name, connection, exchange: '', ...options })
}

test('publishes a persistent CloudEvents message, as the other client does', async () => {
  const { name, messages } = await freshExchange()
  const publisher = amqplibPublisher({ exchange: name })
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) =>
      emit({ type: 'order.created', subject: 'größe 1', data: { sum: 5 } }),
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
    headers: { 'cloudEvents:id': messages[0]?.messageId, 'cloudEvents:subject': 'größe 1' },
  })
})

// A bug: the client was not told why its connection had ended. It left its heartbeats running,
// which keep the process.
test('a connection that is broken off ends for the client, too, with what is under way', async () => {
  const { name } = await freshExchange()
  const url = new URL(rabbit.url())
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port || 5672) })
  url.port = String(proxy.port)
  url.searchParams.set('heartbeat', '60')
  const made: Awaited<ReturnType<typeof connect>>[] = []
  const connection = amqplibConnection(async () => {
    const opened = await connect(url.href)
    made.push(opened)
    return opened
  })
  try {
    const channel = connection.createPublisher({ confirm: true, maxAttempts: 1 })
    const envelope = {
      exchange: name,
      routingKey: 'order.a',
      mandatory: true,
      durable: true,
    } as const
    const rest = { messageId: 'm', type: 't', timestamp: 1, contentType: 'a/b', headers: {} }
    const send = () => channel.send({ ...envelope, ...rest }, Buffer.from('{}'))
    await send()
    const closed = new Promise((resolve) => made[0]?.once('close', resolve))
    proxy.stallDownstream()
    const under = send().catch((error: unknown) => error)
    await setImmediate()
    await channel.close()
    expect(await under).toBeInstanceOf(Error)
    await closed
  } finally {
    await proxy.stop()
  }
}, 60_000)

test('events that no queue takes become dead letters after missingForMs, and no others', async () => {
  const { name, numbered } = await freshExchange()
  const publisher = amqplibPublisher({ name, exchange: name, missingForMs: 100 })
  const keys = Array.from({ length: 20 }, (_, at) => `${name}-k${at}`)
  const letters = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (const key of keys) {
        emit({ type: 'order.numbered', subject: key, data: { key, n: 0 } })
        emit({ type: 'unheard.of', subject: `${key}-u` })
      }
    })
    await waitFor(() => distinct(numbered()) === 20, { what: 'the routable ones' })
    return deadOf(name, 20)
  })
  await publisher.close()
  for (const { type, error } of letters) {
    expect({ type, message: error?.message }).toEqual({
      type: 'unheard.of',
      message: expect.stringContaining('NO_ROUTE'),
    })
  }
})

test('a message whose headers are larger than a frame is dead at once, and the others arrive in order', async () => {
  const { name, numbered } = await freshExchange()
  const publisher = amqplibPublisher({ name, exchange: name }, `${rabbit.url()}?frameMax=4096`)
  const keys = Array.from({ length: 10 }, (_, at) => `${name}-k${at}`)
  const [letter] = await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 3)
    await transact(pool, (_, emit) =>
      emit({ type: 'order.large', headers: { note: 'x'.repeat(8_000) } }),
    )
    await emitNumbered(pool, keys, 3, 3)
    await waitFor(() => distinct(numbered()) === 60, { what: 'the others' })
    return deadOf(name, 1)
  })
  await publisher.close()
  expect(letter).toMatchObject({ type: 'order.large', attempts: 1, reason: 'permanent' })
  expect(letter?.error?.message).toContain('more than a frame of 4096')
  expectAllInOrder(numbered(), keys, 6)
})

test('a missing exchange is waited for, under the name that the protocol has for it', async () => {
  const publisher = amqplibPublisher({ exchange: `missing-${process.pid}` })
  const { items } = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => emit({ type: 'order.lost' }))
    const { deadLetters: source } = postgresLog({ client: pool })
    const retrying = () => source.listRetrying({ origin: publisher.name }, { limit: 1 })
    await waitFor(async () => (await retrying()).items.length === 1, { what: 'a retry' })
    return retrying()
  })
  await publisher.close()
  expect(items[0]?.error?.message).toContain('no exchange')
})

test('nothing is lost, and the order holds, while confirms are lost and the broker is killed', async () => {
  const server = await rabbit.own()
  const proxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(server.url).port) })
  const publisher = amqplibPublisher(
    { name: lasting.name, exchange: lasting.name },
    proxy.through(server.url),
  )
  const keys = Array.from({ length: 20 }, (_, at) => `${lasting.name}-k${at}`)
  try {
    await relaying(pool, [publisher], async () => {
      await emitNumbered(pool, keys, 5)
      await waitFor(() => distinct(lasting.numbered()) > 0, {
        what: 'the first',
        timeoutMs: 30_000,
      })
      proxy.stallDownstream()
      await emitNumbered(pool, keys, 5, 5)
      proxy.cut()
      proxy.resume()
      await waitFor(() => distinct(lasting.numbered()) === 200, {
        what: 'those of the lost confirms',
        timeoutMs: 60_000,
      })
      await server.crash()
      await emitNumbered(pool, keys, 5, 10)
      await server.restart()
      await waitFor(() => distinct(lasting.numbered()) === 300, {
        what: 'all events',
        timeoutMs: 120_000,
      })
    })
  } finally {
    await publisher.close()
    await proxy.stop()
  }
  expectAllInOrder(lasting.numbered(), keys, 15)
}, 300_000)

test('a connection that does not open is an outage, and what is no function is refused', async () => {
  const publisher = amqplibPublisher({}, 'amqp://127.0.0.1:9')
  await expect(publisher.close()).resolves.toBeUndefined()
  expect(() => amqplibConnection({} as never)).toThrow(
    /amqplibConnection\(\(\) => connect\(url\)\)/,
  )
})

async function deadOf(origin: string, count: number) {
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  return await waitFor(
    async () => {
      const { items } = await dead.list({ origin })
      return items.length === count && items
    },
    { what: 'the dead letters' },
  )
}
