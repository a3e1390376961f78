import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { deadLetters } from '@oncekey/outbox'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { postgresLog, transact } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { beforeAll, expect, test } from 'vitest'
import { distinct, emitNumbered, expectAllInOrder, impatient, relaying } from './broker-stream.ts'
import { connected, freshExchange, nextNumber, pool, rabbit, removals } from './rabbit-exchanges.ts'

let lasting: Awaited<ReturnType<typeof freshExchange>>

beforeAll(async () => {
  // A queue declared just before a SIGKILL is not on disk yet: for seconds, and in RabbitMQ 3.10
  // for minutes if it is a quorum queue.
  lasting = await freshExchange('classic', (await rabbit.own()).url)
}, 300_000)

test.each([
  ['it is too large,', { maxMessageBytes: 10 }, /more than maxMessageBytes/],
  ['its routing key is too long,', { routingKey: () => 'x'.repeat(256) }, /not a routing key/],
  ['its headers are larger than a frame,', {}, /frame size of \d+ bytes exceeds/, 8_000],
])('when %s the event becomes a dead letter', async (_, options, message, headerBytes = 1) => {
  const name = `dead${nextNumber()}`
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
