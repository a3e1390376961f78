import { deadLetters } from '@oncekey/outbox'
import { redisPublisher } from '@oncekey/outbox/redis'
import { postgresLog, transact } from '@oncekey/postgres'
import {
  type GivenOrOwn,
  givenOrOwn,
  type RedisServer,
  startProxy,
  startRedis,
  waitFor,
} from '@oncekey/test-servers'
import { Redis } from 'ioredis'
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
let redis: GivenOrOwn<RedisServer>
const clients: Redis[] = []
/** Keys to delete afterwards, so that a server given to the tests is left as it was. */
const removals: (() => Promise<unknown>)[] = []
let names = 0

beforeAll(async () => {
  pool = database.pool()
  redis = await givenOrOwn('REDIS_URL', () =>
    startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } }),
  )
})
afterEach(async () => {
  await Promise.all(removals.splice(0).map((remove) => remove()))
  for (const client of clients.splice(0)) client.disconnect()
})
afterAll(() => redis?.stop())

function connected(url = redis.url()): Redis {
  const client = new Redis(url, { retryStrategy: () => 50 })
  // The client reconnects, and the publisher reports what fails.
  client.on('error', () => {})
  clients.push(client)
  return client
}

/** Names a stream for one test, and reads what is in it. */
function freshStream(url = redis.url()) {
  names += 1
  const name = `oncekey-${process.pid}-${names}`
  const reader = connected(url)
  removals.push(() => reader.del(name))
  const entries = async () =>
    (await reader.xrange(name, '-', '+')).map(([, fields]) => {
      const pairs = fields.flatMap((field, at) => (at % 2 ? [] : [[field, fields[at + 1]]]))
      return Object.fromEntries(pairs) as Record<string, string>
    })
  const numbered = async (): Promise<Numbered[]> =>
    (await entries()).map(({ ce_id, data }) => ({ ...JSON.parse(String(data)), id: String(ce_id) }))
  return { name, reader, entries, numbered }
}

test('adds an entry with the attributes of CloudEvents, the headers and the data', async () => {
  const { name, entries } = freshStream()
  const publisher = redisPublisher<PoolClient>({
    ...impatient,
    name,
    client: connected(),
    stream: name,
    maxLength: 1_000,
  })
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) =>
      emit({
        type: 'order.created',
        subject: '1',
        source: '/shop',
        data: { sum: 5 },
        headers: { tenant: 'acme' },
      }),
    )
    await waitFor(async () => (await entries()).length === 1, { what: 'the entry' })
  })
  expect(await entries()).toEqual([
    {
      ce_specversion: '1.0',
      ce_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      ce_source: '/shop',
      ce_type: 'order.created',
      ce_subject: '1',
      ce_time: expect.stringMatching(/^\d{4}-.*Z$/),
      ce_datacontenttype: 'application/json',
      ce_partitionkey: '1',
      header_tenant: 'acme',
      data: '{"sum":5}',
    },
  ])
})

test('loses no event and keeps the order when Redis is killed mid-stream and comes back', async () => {
  const own = await redis.own()
  const { name, numbered } = freshStream(own.url)
  const keys = Array.from({ length: 20 }, (_, at) => `${name}-k${at}`)
  const publisher = redisPublisher<PoolClient>({
    ...impatient,
    attemptTimeoutMs: 1_000,
    name,
    client: connected(own.url),
    stream: name,
  })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 10)
    await waitFor(async () => (await numbered()).length > 50, { what: 'some to be there' })
    await own.crash()
    await emitNumbered(pool, keys, 10, 10)
    await own.restart()
    await waitFor(async () => distinct(await numbered()) === 400, {
      what: 'all events',
      timeoutMs: 40_000,
      intervalMs: 100,
    })
  })
  expectAllInOrder(await numbered(), keys, 20)
})

test('resends an event whose answer is lost under the same id', async () => {
  const { name, numbered } = freshStream()
  const proxy = await startProxy(redis.address())
  try {
    const publisher = redisPublisher<PoolClient>({
      ...impatient,
      name,
      client: connected(proxy.through(redis.url())),
      stream: () => name,
    })
    await relaying(pool, [publisher], async () => {
      const lost = proxy.dropAfter('"n":0}')
      await emitNumbered(pool, [name], 5)
      await lost
      await waitFor(async () => distinct(await numbered()) === 5, { what: 'all five' })
    })
    const all = await numbered()
    expectAllInOrder(all, [name], 5)
    expect(all.filter(({ n }) => n === 0)).toHaveLength(2)
  } finally {
    await proxy.stop()
  }
})

test('events wait while Redis is out of memory, and become dead letters if their key holds no stream', async () => {
  const own = await redis.own()
  const { name, reader, entries } = freshStream(own.url)
  await reader.set(`${name}-text`, 'text')
  await reader.config('SET', 'maxmemory', '1')
  const publisher = redisPublisher<PoolClient>({
    ...impatient,
    name,
    client: connected(own.url),
    stream: ({ subject }) => String(subject),
  })
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  const letters = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      emit({ type: 'order.created', subject: name })
      emit({ type: 'order.created', subject: `${name}-text` })
    })
    await waitFor(
      async () =>
        (await database.query('select from oncekey.deliveries where consumer = $1', [name]))
          .length > 0,
      { what: 'a failure' },
    )
    await reader.config('SET', 'maxmemory', '0')
    await waitFor(async () => (await entries()).length === 1, { what: 'the entry' })
    return waitFor(
      async () => {
        const { items } = await dead.list({ origin: name })
        return items.length > 0 && items
      },
      { what: 'the dead letter' },
    )
  })
  expect(letters).toHaveLength(1)
  expect(letters[0]).toMatchObject({ subject: `${name}-text`, reason: 'permanent' })
})

test('a stream without write permission holds up no other, and gets its events in order once permitted', async () => {
  const own = await redis.own()
  const [good, bad] = [freshStream(own.url), freshStream(own.url)]
  const mayWrite = (...names: string[]) =>
    good.reader.call(
      'ACL',
      'SETUSER',
      'app',
      'reset',
      'on',
      '>secret',
      '+@all',
      ...names.map((name) => `~${name}`),
    )
  await mayWrite(good.name)
  const url = new URL(own.url)
  url.username = 'app'
  url.password = 'secret'
  const keys = Array.from({ length: 20 }, (_, at) => `${good.name}-k${at}`)
  const publisher = redisPublisher<PoolClient>({
    ...impatient,
    // Events behind a refused one would not finish within the test.
    attemptTimeoutMs: 120_000,
    backoff: () => 1_000,
    name: good.name,
    client: connected(url.href),
    stream: ({ subject }) => (/[02468]$/.test(String(subject)) ? bad.name : good.name),
  })
  const isBad = (key: string) => /[02468]$/.test(key)
  const many = Array.from({ length: 150 }, (_, at) => `${bad.name}-${at}-0`)
  await relaying(pool, [publisher], async () => {
    // More events than are sent at once come before the events of the other stream.
    await emitNumbered(pool, many, 2)
    await emitNumbered(pool, keys, 20)
    await waitFor(async () => distinct(await good.numbered()) === 200, {
      what: 'what is let in',
      timeoutMs: 30_000,
    })
    expect(await bad.numbered()).toEqual([])
    await mayWrite(good.name, bad.name)
    await waitFor(async () => distinct(await bad.numbered()) === 500, {
      what: 'the others',
      timeoutMs: 90_000,
    })
  })
  expectAllInOrder(
    await good.numbered(),
    keys.filter((key) => !isBad(key)),
    20,
  )
  expectAllInOrder(await bad.numbered(), keys.filter(isBad), 20)
  expectAllInOrder(await bad.numbered(), many, 2)
})

test('refuses invalid options at construction', () => {
  const client = connected()
  const made = (options: object) => () =>
    redisPublisher({ name: 'x', client, stream: 's', ...options })
  expect(made({ client: {} })).toThrow(/new Redis\(url\)/)
  expect(made({ stream: '' })).toThrow(/stream must be/)
  expect(made({ maxLength: 0 })).toThrow(/whole number/)
})
