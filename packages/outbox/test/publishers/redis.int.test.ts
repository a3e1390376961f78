import { deadLetters } from '@oncekey/outbox'
import { redisPublisher } from '@oncekey/outbox/redis'
import { postgresLog, transact } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { distinct, emitNumbered, expectAllInOrder, impatient, relaying } from './broker-stream.ts'
import { connected, database, freshStream, pool, redis } from './redis-streams.ts'

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

// A bug: the client keeps a command that Redis does not answer, and each attempt gave it another,
// all of which Redis carried out when it went on.
test('an event is sent once to a Redis that stands still for longer than an attempt', async () => {
  const { name, numbered } = freshStream()
  const proxy = await startProxy(redis.address())
  try {
    const client = connected(proxy.through(redis.url()))
    let tries = 0
    const publisher = redisPublisher<PoolClient>({
      ...impatient,
      attemptTimeoutMs: 200,
      name,
      client,
      stream() {
        tries += 1
        return name
      },
    })
    await relaying(pool, [publisher], async () => {
      await emitNumbered(pool, [name], 1)
      await waitFor(async () => (await numbered()).length === 1, { what: 'the first' })
      proxy.stall()
      tries = 0
      await emitNumbered(pool, [name], 1, 1)
      await waitFor(() => tries > 4, { what: 'some attempts' })
      proxy.resume()
      await waitFor(async () => distinct(await numbered()) === 2, { what: 'the second' })
      // Redis takes what one client sends in order, so nothing is on its way any longer.
      await client.ping()
    })
    expect((await numbered()).map(({ n }) => n)).toEqual([0, 1])
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
