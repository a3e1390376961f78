import { createRelay } from '@oncekey/outbox'
import { redisPublisher } from '@oncekey/outbox/redis'
import { postgresLog } from '@oncekey/postgres'
import { startProxy, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { quick } from '../databases/log-database.ts'
import { distinct, emitNumbered, expectAllInOrder, impatient, relaying } from './broker-stream.ts'
import { clients, connected, database, freshStream, pool, redis } from './redis-streams.ts'

// A bug: each try of an event during an outage left a copy in the client's own queue, without a
// limit if the client has none, and Redis got all of them when it was back.
test('an outage leaves nothing in the queue of a client that retries without a limit', async () => {
  const own = await redis.own()
  const { name, numbered } = freshStream(own.url)
  const client = new Redis(own.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
  client.on('error', () => {})
  clients.push(client)
  const publisher = redisPublisher<PoolClient>({
    ...impatient,
    attemptTimeoutMs: 300,
    name,
    client,
    stream: name,
  })
  const failures = async () => {
    const [row] = await database.query<{ sum: string | null }>(
      'select sum(attempts) from oncekey.deliveries where consumer = $1',
      [name],
    )
    return Number(row?.sum)
  }
  const keys = Array.from({ length: 5 }, (_, at) => `${name}-k${at}`)
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 1)
    await waitFor(async () => distinct(await numbered()) === 5, { what: 'the first' })
    await own.crash()
    await emitNumbered(pool, keys, 1, 1)
    await waitFor(async () => (await failures()) > 20, { what: 'failures', timeoutMs: 30_000 })
    // What was on its way when the connection was lost is in another queue. The copies in the
    // stream would show less: an answer that takes longer than an attempt makes one, too.
    const { offlineQueue } = client as unknown as { readonly offlineQueue: { length: number } }
    expect(offlineQueue).toHaveLength(0)
    await own.restart()
    await waitFor(async () => distinct(await numbered()) === 10, {
      what: 'all events',
      timeoutMs: 30_000,
    })
  })
  expectAllInOrder(await numbered(), keys, 2)
}, 60_000)

// A bug: what waited for the client to reconnect was sent when it had, although the relay had
// stopped in between and another one had the events.
test('a relay that has stopped sends nothing when the client is connected again', async () => {
  const own = await redis.own()
  const { name, numbered } = freshStream(own.url)
  const client = connected(own.url)
  let tries = 0
  const publisher = redisPublisher<PoolClient>({
    ...impatient,
    attemptTimeoutMs: 60_000,
    name,
    client,
    stream: () => {
      tries += 1
      return name
    },
  })
  await client.ping()
  await own.crash()
  await waitFor(() => client.status === 'reconnecting', { what: 'the outage', intervalMs: 1 })
  const relay = createRelay<PoolClient>({
    ...quick,
    log: postgresLog({ client: pool }),
    consumers: [publisher],
  })
  await relay.runOnce()
  relay.start()
  await emitNumbered(pool, [name], 1)
  await waitFor(() => tries > 0, { what: 'an attempt' })
  await relay.stop({ timeoutMs: 0 })
  await own.restart()
  await waitFor(() => client.status === 'ready', { what: 'the connection' })
  // Redis takes what one client sends in order, so nothing is on its way any longer.
  await client.ping()
  expect(await numbered()).toEqual([])
})

// A bug: after a failover behind one address the client stayed connected to what was now a replica,
// and nothing said why.
test('an error of a read-only replica says how a client leaves it, and one with that option does', async () => {
  const promoted = await redis.own()
  const demoted = await startRedis()
  const proxy = await startProxy(demoted.port)
  try {
    const { name, numbered } = freshStream(promoted.url)
    const plain = new Redis(proxy.through(demoted.url))
    const leaving = new Redis(proxy.through(demoted.url), {
      // As in docs/publishers.md.
      reconnectOnError: ({ message }) => (message.includes('READONLY') ? 2 : false),
    })
    for (const client of [plain, leaving]) client.on('error', () => {})
    clients.push(plain, leaving)
    await Promise.all([plain.ping(), leaving.ping()])
    await demoted.cli('replicaof', '127.0.0.1', String(promoted.port))
    proxy.retarget(promoted.port)
    const made = (of: string, client: Redis) =>
      redisPublisher<PoolClient>({ ...impatient, name: of, client, stream: name })
    const consumers = [made(`${name}-plain`, plain), made(name, leaving)]
    await relaying(pool, consumers, async () => {
      await emitNumbered(pool, [name], 1)
      await waitFor(async () => distinct(await numbered()) === 1, { what: 'the event' })
      const filed = await waitFor(
        async () => {
          const [row] = await database.query<{ error_message: string }>(
            'select error_message from oncekey.deliveries where consumer = $1',
            [`${name}-plain`],
          )
          return row?.error_message
        },
        { what: 'the event of the client that stays', timeoutMs: 30_000 },
      )
      expect(filed).toMatch(/READONLY.*reconnectOnError/s)
    })
  } finally {
    await proxy.stop()
    await demoted.stop()
  }
}, 60_000)
