import { describeStore } from '@oncekey/conformance'
import type { Attempt, OncekeyError, OutboxEvent } from '@oncekey/core'
import { redisStore } from '@oncekey/redis'
import { type RedisCluster, startRedisCluster, waitFor } from '@oncekey/test-servers'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  claimOf,
  completionOf,
  errorOf,
  eventOf,
  expectReplay,
  kindOf,
  retryOf,
  run,
} from '../servers/claims.ts'
import { beginToMove } from '../servers/moving-slot.ts'
import { redisFixture } from '../servers/redis-fixture.ts'

let cluster: RedisCluster
const readers: Redis[] = []
const open: { disconnect(): void }[] = []

beforeAll(async () => {
  cluster = await startRedisCluster()
  readers.push(...cluster.primaries.map(({ url }) => new Redis(url)))
  for (const reader of readers) reader.on('error', () => {})
})
afterAll(async () => {
  for (const reader of readers) reader.disconnect()
  await cluster.stop()
})
afterEach(() => {
  for (const client of open.splice(0)) client.disconnect()
})

const nodes = () => cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port }))

/** Sends a command to every primary; a command about a key only to the node that has it. */
async function read(command: string, ...args: (string | number)[]): Promise<unknown[]> {
  const answers = await Promise.all(
    readers.map((reader) => reader.call(command, ...args).catch(() => [])),
  )
  return answers
}

describeStore({
  name: 'redis cluster, ioredis 6',
  create: () => redisFixture(() => new Cluster(nodes()), read),
  modelRuns: 10,
})

describeStore({
  name: 'redis cluster, ioredis 5 with automatic pipelining, with a key prefix',
  create: () =>
    redisFixture(
      () => new Cluster5(nodes(), { enableAutoPipelining: true, keyPrefix: 'app:' }),
      read,
    ),
  modelRuns: 10,
})

function connect(options = {}): Cluster {
  const client = new Cluster(nodes(), {
    clusterRetryStrategy: () => 100,
    retryDelayOnFailover: 100,
    retryDelayOnClusterDown: 100,
    ...options,
  })
  client.on('error', () => {})
  open.push(client)
  return client
}

describe('a cluster', () => {
  test('keeps everything about one key on one node, and spreads keys over the nodes', async () => {
    const store = redisStore({ client: connect() })
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const attempt = await run(store, claimOf())
        expect(await attempt.complete(completionOf({ events: [eventOf()] }))).toBe('stored')
      }),
    )
    const keys = (await read('keys', 'oncekey:*')) as string[][]
    for (const ofNode of keys) expect(ofNode.length).toBeGreaterThan(20)
  })

  test('waits for the replica of the node that has the key when `replicas` is set', async () => {
    const store = redisStore({
      client: connect(),
      commandTimeoutMs: 10_000,
      replicas: { count: 1, timeoutMs: 5_000 },
    })
    const claims = Array.from({ length: 30 }, () => claimOf())
    for (const claim of claims) {
      expect(await (await run(store, claim)).complete(completionOf())).toBe('stored')
      await expectReplay(store, claim, 'done')
    }
    const demanding = redisStore({ client: connect(), replicas: { count: 2, timeoutMs: 50 } })
    const error = await errorOf((await run(demanding, claimOf())).complete(completionOf()))
    expect(error.message).toContain('1 of 2 replicas')
  })

  // A bug: each completion had a `WAIT` of its own, one after the other on a node's connection.
  test('has one `WAIT` at a time on a node when a replica is missing', async () => {
    const replicas = { count: 2, timeoutMs: 500 }
    for (const options of [{}, { keyPrefix: 'app:' }, { enableAutoPipelining: true }]) {
      const store = redisStore({ client: connect(options), replicas })
      const attempts = await Promise.all(Array.from({ length: 60 }, () => run(store, claimOf())))
      const said = await Promise.all(
        attempts.map((attempt) => errorOf(attempt.complete(completionOf()))),
      )
      for (const { message } of said) expect(message).toContain('1 of 2 replicas had it')
    }
  })

  test('can be its own subscriber', async () => {
    const [client, other] = [connect(), connect()]
    const store = redisStore({ client, subscriber: client })
    const claim = claimOf()
    const attempt = await run(redisStore({ client: other }), claim)
    const waiting = store.begin(retryOf(claim, { waitMs: 20_000 }))
    await waitFor(
      async () => {
        const records = (await read('keys', `*:key:*${claim.key}`)).flat() as string[]
        return (await other.hget(records[0] ?? '', 'awaited')) === '1'
      },
      { what: 'the claim to wait' },
    )
    await attempt.complete(completionOf())
    expect((await waiting).kind).toBe('replay')
  })

  test('is reported if the client is not a Cluster', async () => {
    const client = new Redis(cluster.primaries[0]?.url ?? '')
    open.push(client)
    const store = redisStore({ client })
    const error = await waitFor(
      () =>
        store.begin(claimOf()).then(
          () => undefined,
          (refused) => refused,
        ),
      { what: 'a key of another node' },
    )
    expect(error.code).toBe('store-unavailable')
    expect(error.message).toContain('give redisStore() a `Cluster` of ioredis')
  })

  test.each([
    ['', undefined],
    [', with `replicas`', { count: 1, timeoutMs: 5_000 }],
  ] as const)(
    'that moves a slot in mid-request takes the attempt with it%s',
    async (_, replicas) => {
      const client = connect()
      const store = redisStore({ client, commandTimeoutMs: 10_000, ...(replicas && { replicas }) })
      const claim = claimOf()
      const attempt = await run(store, claim)
      const [record = ''] = (await read('keys', `*:key:*${claim.key}`)).flat() as string[]
      await (await beginToMove(cluster, readers, record)).finish()
      expect(await attempt.complete(completionOf({ events: [eventOf()] }))).toBe('stored')
      await expectReplay(store, claim, 'done')
      expect(await attempt.complete(completionOf({ events: [eventOf()] }))).toBe('stored')
    },
  )
})

/** Sends a completion until it succeeds, as a client without any other knowledge would. */
async function completes(
  attempt: Attempt<never>,
  events: readonly OutboxEvent[],
): Promise<boolean> {
  const outcome = await attempt
    .complete(completionOf({ events }))
    .catch((error: OncekeyError) => error.code)
  expect(['stored', 'commit-failed']).toContain(outcome)
  return outcome === 'stored'
}

describe('a node that dies during a request', () => {
  test('is replaced by its replica, while the other nodes serve their keys', async () => {
    const store = redisStore({ client: connect(), commandTimeoutMs: 20_000 })
    const impatient = redisStore({ client: connect(), commandTimeoutMs: 300 })
    const claims = Array.from({ length: 60 }, () => claimOf())
    const attempts = await Promise.all(claims.map((claim) => run(store, claim)))
    await run(impatient, claimOf())
    // Waits until the replica has the claims, too.
    for (const reader of readers) await reader.wait(1, 5_000)
    await cluster.primaries[0]?.crash()

    const decisions = await Promise.all(
      claims.map((claim) => kindOf(impatient, retryOf(claim)).catch((error) => error.code)),
    )
    expect(new Set(decisions)).toEqual(new Set(['in-progress', 'store-unavailable']))
    const events = attempts.map(() => eventOf())
    await Promise.all(
      attempts.map((attempt, index) =>
        waitFor(() => completes(attempt, [events[index] ?? eventOf()]), {
          what: 'the completion',
          timeoutMs: 30_000,
        }),
      ),
    )
    for (const claim of claims) await expectReplay(store, claim, 'done')
  })

  test('together with its replica makes its keys fail in time and not run', async () => {
    // This client reports errors at once, instead of sending again until the time is over.
    const outspoken = connect({ retryDelayOnClusterDown: 0 })
    const store = redisStore({ client: outspoken, commandTimeoutMs: 500 })
    await run(store, claimOf())
    await cluster.primaries[1]?.crash()
    await cluster.replicas[1]?.crash()
    const error = await waitFor(
      () =>
        store.begin(claimOf()).then(
          () => undefined,
          (refused) => refused.message.includes('cluster is down') && refused,
        ),
      { what: 'the cluster to be down', timeoutMs: 30_000 },
    )
    expect(error.code).toBe('store-unavailable')
  })
})
