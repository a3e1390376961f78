import { DiscardPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { deadLetters } from '@oncekey/outbox'
import { natsPublisher } from '@oncekey/outbox/nats'
import { postgresLog, transact } from '@oncekey/postgres'
import {
  type GivenOrOwn,
  givenOrOwn,
  type NatsServer,
  startNats,
  startProxy,
  waitFor,
} from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
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
let nats: GivenOrOwn<NatsServer>
const connections: NatsConnection[] = []
/** Streams to delete afterwards, so that a server given to the tests is left as it was. */
const removals: (() => Promise<unknown>)[] = []
let names = 0

beforeAll(async () => {
  pool = database.pool()
  nats = await givenOrOwn('NATS_URL', startNats)
})
afterEach(async () => {
  await Promise.all(removals.splice(0).map((remove) => remove()))
  await Promise.all(connections.splice(0).map((connection) => connection.close()))
})
afterAll(() => nats?.stop())

async function connected(url = nats.url()): Promise<NatsConnection> {
  const connection = await connect({
    servers: url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  })
  connections.push(connection)
  return connection
}

/** Creates a stream for one test, and reads what is in it. */
async function freshStream(settings: object = {}, url = nats.url()) {
  names += 1
  const name = `oncekey-${process.pid}-${names}`
  const manager = await jetstreamManager(await connected(url))
  await manager.streams.add({ name, subjects: [`${name}.>`], ...settings })
  removals.push(() => manager.streams.delete(name))
  const messages = async () => {
    const { state } = await manager.streams.info(name)
    const found = []
    for (let seq = 1; seq <= state.last_seq; seq += 1) {
      const message = await manager.streams.getMessage(name, { seq })
      if (message) found.push(message)
    }
    return found
  }
  const numbered = async (): Promise<Numbered[]> =>
    (await messages()).map((message) => ({
      ...message.json<{ key: string; n: number }>(),
      id: message.header.get('ce-id'),
    }))
  const count = async () => (await manager.streams.info(name)).state.messages
  return { name, messages, numbered, count }
}

test('publishes a CloudEvents message in binary mode, with a message id that names the publisher', async () => {
  const stream = await freshStream()
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    name: stream.name,
    jetstream: jetstream(await connected()),
    subject: ({ type }) => `${stream.name}.${type}`,
  })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) =>
      emit({
        type: 'order.created',
        subject: 'größe 100% "x"',
        source: '/shop',
        data: { sum: 5 },
        headers: { traceparent, tenant: 'acme', 'Nats-Msg-Id': 'mine', 'ce-type': 'other' },
      }),
    )
    await waitFor(async () => (await stream.count()) === 1, { what: 'the message' })
  })
  const [message] = await stream.messages()
  expect(message?.subject).toBe(`${stream.name}.order.created`)
  expect(message?.string()).toBe('{"sum":5}')
  const headers = Object.fromEntries([...(message?.header ?? [])].map(([k, [v]]) => [k, v]))
  expect(headers).toEqual({
    'Nats-Msg-Id': `${stream.name}:${headers['ce-id']}`,
    tenant: 'acme',
    traceparent,
    'ce-specversion': '1.0',
    'ce-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    'ce-source': '/shop',
    'ce-type': 'order.created',
    'ce-subject': 'gr%C3%B6%C3%9Fe%20100%25%20%22x%22',
    'ce-time': expect.stringMatching(/^\d{4}-.*Z$/),
    'ce-datacontenttype': 'application/json',
    'ce-partitionkey': 'gr%C3%B6%C3%9Fe%20100%25%20%22x%22',
    'ce-traceparent': traceparent,
  })
})

test('two publishers into one stream each deliver every event once', async () => {
  const stream = await freshStream()
  const js = jetstream(await connected())
  const to = (name: string) =>
    natsPublisher<PoolClient>({
      ...impatient,
      name: `${stream.name}-${name}`,
      jetstream: js,
      subject: ({ type }) => `${stream.name}.${name}.${type}`,
    })
  await relaying(pool, [to('billing'), to('shipping')], async () => {
    await emitNumbered(pool, ['a', 'b', 'c', 'd'], 5)
    await waitFor(async () => (await stream.count()) === 40, { what: 'both copies of all' })
  })
  const subjects = (await stream.messages()).map(({ subject }) => subject.split('.')[1])
  expect(subjects.filter((name) => name === 'billing')).toHaveLength(20)
  expect(subjects.filter((name) => name === 'shipping')).toHaveLength(20)
})

test('a message that the stream drops because of another publisher of the same name becomes a dead letter', async () => {
  const stream = await freshStream()
  const js = jetstream(await connected())
  let answers = 0
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    name: stream.name,
    jetstream: {
      jetstreamManager: (check) => js.jetstreamManager(check),
      async publish(subject, data, options) {
        // Stands for a publisher of the same name that was faster, on its own subject.
        if (answers++ === 0) await js.publish(`${stream.name}.theirs`, data, options)
        return await js.publish(subject, data, options)
      },
    },
    subject: () => `${stream.name}.ours`,
  })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, ['a'], 2)
    await waitFor(async () => (await stream.count()) === 2, { what: 'theirs, and our second' })
  })
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  const { items } = await dead.list({ origin: stream.name })
  expect(items.map(({ error }) => error?.message)).toEqual([
    expect.stringContaining('Give each publisher a name of its own'),
  ])
})

test('a full stream holds up no other stream, even if each event has its own subject', async () => {
  const full = await freshStream({ max_msgs: 1, discard: DiscardPolicy.New })
  const other = await freshStream()
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    // Events behind a refused one would not finish within the test.
    attemptTimeoutMs: 120_000,
    backoff: () => 1_000,
    name: other.name,
    jetstream: jetstream(await connected()),
    subject: ({ subject }) => String(subject),
  })
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 250; n += 1) emit({ type: 'order.created', subject: `${full.name}.${n}` })
    })
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 50; n += 1) emit({ type: 'order.created', subject: `${other.name}.${n}` })
    })
    await waitFor(async () => (await other.count()) === 50, {
      what: 'those of the other stream',
      timeoutMs: 20_000,
    })
    expect(await full.count()).toBe(1)
  })
})

test('loses no event and keeps the order when the server is killed mid-stream and returns later', async () => {
  const own = await nats.own()
  const stream = await freshStream({}, own.url)
  const keys = Array.from({ length: 20 }, (_, at) => `${stream.name}-k${at}`)
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    attemptTimeoutMs: 1_000,
    name: stream.name,
    jetstream: jetstream(await connected(own.url)),
    subject: ({ type }) => `${stream.name}.${type}`,
  })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 10)
    await waitFor(async () => (await stream.count()) > 50, { what: 'some to be there' })
    await own.crash()
    await emitNumbered(pool, keys, 10, 10)
    await own.restart()
    await waitFor(async () => distinct(await stream.numbered()) === 400, {
      what: 'all events',
      timeoutMs: 40_000,
      intervalMs: 250,
    })
  })
  const all = await stream.numbered()
  expectAllInOrder(all, keys, 20)
  // Messages sent again had the same id, so the stream's duplicate window dropped them.
  expect(all).toHaveLength(400)
})

test('resends an event whose acknowledgement is lost under the same id, and the stream drops it', async () => {
  const stream = await freshStream()
  const proxy = await startProxy(nats.address())
  try {
    const js = jetstream(await connected(proxy.through(nats.url())))
    const duplicates: boolean[] = []
    const publisher = natsPublisher<PoolClient>({
      ...impatient,
      attemptTimeoutMs: 500,
      name: stream.name,
      jetstream: {
        jetstreamManager: (check) => js.jetstreamManager(check),
        async publish(...message) {
          const ack = await js.publish(...message)
          duplicates.push(ack.duplicate)
          return ack
        },
      },
      subject: ({ type }) => `${stream.name}.${type}`,
    })
    await relaying(pool, [publisher], async () => {
      const lost = proxy.dropAfter(`${stream.name}.order.numbered`)
      await emitNumbered(pool, [stream.name], 1)
      await lost
      await emitNumbered(pool, [stream.name], 4, 1)
      await waitFor(async () => (await stream.count()) === 5, {
        what: 'all five',
        timeoutMs: 30_000,
      })
    })
    expectAllInOrder(await stream.numbered(), [stream.name], 5)
    expect(await stream.count()).toBe(5)
    expect(duplicates.filter(Boolean)).not.toEqual([])
  } finally {
    await proxy.stop()
  }
})

test.each([
  ['the subject is invalid,', () => 'a..b c', '{}', 'PermanentError'],
  [
    'the message is larger than the stream takes,',
    (name: string) => `${name}.x`,
    'x'.repeat(3_000),
    'JetStreamApiError',
  ],
  [
    'the message is larger than the server takes,',
    (name: string) => `${name}.x`,
    'x'.repeat(1_100_000),
    'InvalidArgumentError',
  ],
])('when %s the event becomes a dead letter at once', async (_, subject, data, error) => {
  const stream = await freshStream({ max_msg_size: 2_000 })
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    name: stream.name,
    jetstream: jetstream(await connected()),
    subject: () => subject(stream.name),
  })
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  const [letter] = await relaying(pool, [publisher], async () => {
    await transact(pool, (_tx, emit) => emit({ type: 'order.large', data }))
    return waitFor(
      async () => {
        const { items } = await dead.list({ origin: stream.name })
        return items.length > 0 && items
      },
      { what: 'the dead letter' },
    )
  })
  expect(letter).toMatchObject({ attempts: 1, error: { name: error } })
})

test('a stream created after its events were emitted gets them without a redrive', async () => {
  const stream = await freshStream()
  const late = `${stream.name}-late`
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    name: stream.name,
    jetstream: jetstream(await connected()),
    subject: ({ type, subject }) =>
      type === 'order.late' ? `${late}.${subject}` : `${stream.name}.x`,
  })
  const manager = await jetstreamManager(await connected())
  const letters = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 150; n += 1) emit({ type: 'order.late', subject: String(n) })
    })
    // No event waits behind them.
    await emitNumbered(pool, ['a'], 5)
    await waitFor(async () => (await stream.count()) === 5, { what: 'those of the other stream' })
    await manager.streams.add({ name: late, subjects: [`${late}.>`] })
    removals.push(() => manager.streams.delete(late))
    await waitFor(async () => (await manager.streams.info(late)).state.messages === 150, {
      what: 'those that were early',
      timeoutMs: 30_000,
    })
    return deadLetters(postgresLog({ client: pool }).deadLetters).list({ origin: stream.name })
  })
  expect(letters.items).toEqual([])
})

test('events on a subject that no stream takes for longer than missingForMs become dead letters', async () => {
  const stream = await freshStream()
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    name: stream.name,
    jetstream: jetstream(await connected()),
    subject: () => `nobody.${stream.name}`,
    missingForMs: 100,
  })
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  const [letter] = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => emit({ type: 'order.lost' }))
    return waitFor(
      async () => {
        const { items } = await dead.list({ origin: stream.name })
        return items.length > 0 && items
      },
      { what: 'the dead letter' },
    )
  })
  expect(letter).toMatchObject({
    reason: 'permanent',
    error: { name: 'PermanentError', message: expect.stringContaining('No stream takes') },
  })
  expect(letter?.attempts).toBeGreaterThan(1)
})

test('refuses invalid options at construction', async () => {
  const js = jetstream(await connected())
  expect(() => natsPublisher({ name: 'x', jetstream: undefined as never })).toThrow(
    /jetstream\(connection\)/,
  )
  expect(() => natsPublisher({ name: 'x', jetstream: js, subject: 'a' as never })).toThrow(
    /event\.type/,
  )
  expect(() => natsPublisher({ name: 'not this', jetstream: js })).toThrow(/name must be/)
})
