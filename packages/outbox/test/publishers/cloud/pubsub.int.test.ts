import { PubSub, type Topic } from '@google-cloud/pubsub'
import { status } from '@grpc/grpc-js'
import { type PubSubPublisherOptions, pubSubPublisher } from '@oncekey/outbox/pubsub'
import { transact } from '@oncekey/postgres'
import { startProxy, type TcpProxy, waitFor } from '@oncekey/test-servers'
import { HTTP } from 'cloudevents'
import type { Pool, PoolClient } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { logDatabase } from '../../databases/log-database.ts'
import {
  allConfirmed,
  deadOf,
  distinct,
  emitNumbered,
  expectAllInOrder,
  impatient,
  missingOnFile,
  type Numbered,
  relaying,
} from '../broker-stream.ts'
import { type PubSubMessage, type PubSubStandIn, startPubSubStandIn } from './pubsub-stand-in.ts'

const database = logDatabase()
let pool: Pool
let standIn: PubSubStandIn
let proxy: TcpProxy
let pubsub: PubSub
let names = 0

beforeAll(async () => {
  pool = database.pool()
  standIn = await startPubSubStandIn()
  proxy = await startProxy(standIn.port)
  // The client looks for a machine of Google's otherwise.
  process.env.METADATA_SERVER_DETECTION = 'none'
  process.env.PUBSUB_EMULATOR_HOST = `127.0.0.1:${proxy.port}`
  pubsub = new PubSub({ projectId: 'shop' })
})
beforeEach(() => {
  proxy.resume()
  standIn.refuse = () => undefined
})
afterAll(async () => {
  delete process.env.PUBSUB_EMULATOR_HOST
  delete process.env.METADATA_SERVER_DETECTION
  await pubsub?.close()
  await proxy?.stop()
  standIn?.stop()
})

/** A topic of the client, which the stand-in has only after `create`. */
function freshTopic(timeout = 30_000): {
  topic: Topic
  name: string
  create(): void
  stored(): PubSubMessage[]
} {
  names += 1
  const name = `orders${names}`
  const topic = pubsub.topic(name, {
    messageOrdering: true,
    batching: { maxMessages: 1 },
    gaxOpts: { retry: null, timeout },
  })
  const create = () => {
    standIn.topics.add(topic.name)
  }
  return { topic, name, create, stored: () => standIn.stored.filter((m) => m.topic === topic.name) }
}

function createdTopic(timeout?: number) {
  const fresh = freshTopic(timeout)
  fresh.create()
  return fresh
}

function publisherTo(
  { topic, name }: { topic: Topic; name: string },
  options: Partial<PubSubPublisherOptions> = {},
) {
  return pubSubPublisher<PoolClient>({ ...impatient, name, topic, ...options })
}

function numbered(stored: readonly PubSubMessage[]): Numbered[] {
  return stored.map(({ data, attributes }) => ({
    ...JSON.parse(data),
    id: attributes['ce-id'] as string,
  }))
}

test('publishes a CloudEvents message that the CloudEvents library reads, under the ordering key', async () => {
  const fresh = createdTopic()
  await relaying(pool, [publisherTo(fresh)], async () => {
    await transact(pool, (_, emit) =>
      emit({
        type: 'order.created',
        subject: 'größe 1',
        orderingKey: 'acme',
        source: '/shop',
        data: { sum: 5 },
        headers: { tenant: 'acme', 'ce-id': 'mine', googclient_x: 'steers' },
      }),
    )
    await waitFor(() => fresh.stored().length === 1, { what: 'the message' })
  })
  const [{ attributes, data, orderingKey }] = fresh.stored() as [PubSubMessage]
  expect({ data, orderingKey }).toEqual({ data: '{"sum":5}', orderingKey: 'acme' })
  expect(attributes).toMatchObject({ tenant: 'acme' })
  expect(attributes).not.toHaveProperty('googclient_x')
  const read = HTTP.toEvent({ headers: { ...attributes }, body: data })
  expect(JSON.parse(JSON.stringify(read))).toMatchObject({
    specversion: '1.0',
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    source: '/shop',
    type: 'order.created',
    subject: 'größe 1',
    partitionkey: 'acme',
    datacontenttype: 'application/json',
  })
})

test('loses no event and keeps the order while answers are lost', async () => {
  const fresh = createdTopic(2_000)
  const keys = Array.from({ length: 20 }, (_, at) => `${fresh.name}-k${at}`)
  const arrived = (count: number) =>
    waitFor(() => distinct(numbered(fresh.stored())) === count, {
      what: `${count} events`,
      timeoutMs: 60_000,
    })
  await relaying(pool, [publisherTo(fresh)], async () => {
    await emitNumbered(pool, keys, 5)
    await arrived(100)
    for (const from of [5, 10]) {
      await allConfirmed(pool, fresh.name)
      // The topic stores what it is sent, and nobody hears of it.
      proxy.stallDownstream()
      await emitNumbered(pool, keys, 5, from)
      await waitFor(() => distinct(numbered(fresh.stored())) > from * keys.length, {
        what: 'a message without an answer',
        timeoutMs: 30_000,
      })
      proxy.cut()
      proxy.resume()
      await arrived((from + 5) * keys.length)
    }
  })
  expectAllInOrder(numbered(fresh.stored()), keys, 15)
  expect(fresh.stored().length).toBeGreaterThan(300)
}, 300_000)

test('a key whose publish failed goes on with the next attempt, and an outage costs nothing', async () => {
  const fresh = createdTopic()
  let refusals = 0
  standIn.refuse = () => {
    refusals += 1
    return refusals <= 20 ? status.UNAVAILABLE : undefined
  }
  const keys = [`${fresh.name}-a`, `${fresh.name}-b`]
  await relaying(pool, [publisherTo(fresh)], async () => {
    await emitNumbered(pool, keys, 10)
    await waitFor(() => fresh.stored().length === 20, { what: 'all', timeoutMs: 60_000 })
  })
  expectAllInOrder(numbered(fresh.stored()), keys, 10)
})

test.each([true, false])(
  'a message that Pub/Sub refuses is the only dead letter (ordered: %s)',
  async (ordered) => {
    const fresh = createdTopic()
    standIn.refuse = (messages) =>
      messages.some(({ data }) => data === '7') ? status.INVALID_ARGUMENT : undefined
    const publisher = publisherTo(fresh, { ordered, attemptTimeoutMs: 60_000 })
    const [letter] = await relaying(pool, [publisher], async () => {
      await transact(pool, (_, emit) => {
        for (let n = 0; n < 20; n += 1) {
          emit({ type: 'order.created', orderingKey: fresh.name, data: n })
        }
      })
      await waitFor(() => fresh.stored().length === 19, { what: 'the others' })
      return deadOf(pool, fresh.name, 1)
    })
    expect(letter).toMatchObject({ attempts: 1, reason: 'permanent' })
    expect(fresh.stored()).toHaveLength(19)
  },
)

test('attempts at a message that the client has not given up do not add copies of it', async () => {
  const fresh = createdTopic()
  const publisher = publisherTo(
    {
      name: fresh.name,
      // As patient as the client is by itself.
      topic: pubsub.topic(fresh.name, { messageOrdering: true, gaxOpts: { timeout: 60_000 } }),
    },
    { attemptTimeoutMs: 500 },
  )
  await relaying(pool, [publisher], async () => {
    proxy.stallUpstream()
    await emitNumbered(pool, [fresh.name], 1)
    const attempts = async () =>
      (
        await pool.query('select attempts from oncekey.deliveries where consumer = $1', [
          fresh.name,
        ])
      ).rows[0]?.attempts ?? 0
    await waitFor(async () => (await attempts()) >= 4, {
      what: 'four attempts',
      timeoutMs: 60_000,
    })
    proxy.resume()
    await waitFor(() => fresh.stored().length > 0, { what: 'the event' })
    await emitNumbered(pool, [fresh.name], 1, 1)
    await waitFor(() => distinct(numbered(fresh.stored())) === 2, {
      what: 'the next',
      timeoutMs: 60_000,
    })
  })
  expectAllInOrder(numbered(fresh.stored()), [fresh.name], 2)
  // A second copy may be there: the outcome of the first may come between two attempts.
  expect(fresh.stored().filter(({ data }) => data.includes('"n":0')).length).toBeLessThan(3)
})

test('a topic created after its events were emitted gets them without a redrive', async () => {
  const fresh = freshTopic()
  await relaying(pool, [publisherTo(fresh)], async () => {
    await emitNumbered(pool, [fresh.name], 3)
    await missingOnFile(pool, fresh.name)
    fresh.create()
    await waitFor(() => fresh.stored().length === 3, { what: 'the events', timeoutMs: 60_000 })
  })
  expectAllInOrder(numbered(fresh.stored()), [fresh.name], 3)
})

test('an attribute that Pub/Sub does not take is a dead letter before it is sent', async () => {
  const fresh = createdTopic()
  const letters = await relaying(pool, [publisherTo(fresh)], async () => {
    await transact(pool, (_, emit) => {
      emit({ type: 'order.created', headers: { note: 'x'.repeat(1_025) } })
      const many = Array.from({ length: 100 }, (_, at) => [`h${at}`, 'x'])
      emit({ type: 'order.created', headers: Object.fromEntries(many) })
      emit({ type: 'order.created', headers: { note: 'x'.repeat(1_024) } })
    })
    await waitFor(() => fresh.stored().length === 1, { what: 'the third' })
    return deadOf(pool, fresh.name, 2)
  })
  expect(letters.map(({ error }) => error?.message).sort()).toEqual([
    expect.stringContaining('a value of 1025 bytes'),
    expect.stringContaining('Pub/Sub takes 100'),
  ])
})

test('refuses what is no topic', () => {
  expect(() => publisherTo({ name: 'x', topic: {} as Topic })).toThrow(/pubsub\.topic\('orders'\)/)
})
