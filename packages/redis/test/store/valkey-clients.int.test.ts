import { describeStore } from '@oncekey/conformance'
import { redisStore } from '@oncekey/redis'
import {
  type GivenOrOwn,
  givenOrOwn,
  type RedisCluster,
  type RedisServer,
  type SentinelGroup,
  startRedis,
  startRedisCluster,
  startSentinelGroup,
} from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { Redis as Valkey, Cluster as ValkeyCluster } from 'iovalkey'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { claimOf, completionOf, errorOf, kindOf, retryOf, run } from '../servers/claims.ts'
import { glideFixture, glideOn, glideOnCluster } from '../servers/glide.ts'
import { type Connect, redisFixture } from '../servers/redis-fixture.ts'

let server: GivenOrOwn<RedisServer>
let cluster: RedisCluster
let group: SentinelGroup
const readers: Redis[] = []

beforeAll(async () => {
  ;[server, cluster, group] = await Promise.all([
    givenOrOwn('REDIS_URL', startRedis),
    startRedisCluster(),
    startSentinelGroup(),
  ])
  readers.push(new Redis(server.url()), ...cluster.primaries.map(({ url }) => new Redis(url)))
  for (const reader of readers) reader.on('error', () => {})
})
afterAll(async () => {
  for (const reader of readers) reader.disconnect()
  await Promise.all([server.stop(), cluster.stop(), group.stop()])
})

const single = () => readers.slice(0, 1)
const nodes = () => readers.slice(1)
const port = () => Number(new URL(server.url()).port)
const ports = () => cluster.primaries.map(({ port }) => port)

const iovalkey = (url: string) => new Valkey(url) as ReturnType<Connect>

describeStore({
  name: 'redis, iovalkey',
  create: () =>
    redisFixture(
      () => iovalkey(server.url()),
      (command, ...args) => Promise.all(single().map((reader) => reader.call(command, ...args))),
      { port: port(), connect: (port) => iovalkey(`redis://127.0.0.1:${port}`) },
    ),
  modelRuns: 10,
})

describeStore({
  name: 'redis, valkey-glide',
  create: () => glideFixture(() => glideOn(port()), single(), port()),
  modelRuns: 10,
})

// A run for a commit has each library on one server.
if (process.env.MATRIX === 'whole') {
  describeStore({
    name: 'redis cluster, iovalkey',
    create: () =>
      redisFixture(
        () =>
          new ValkeyCluster(
            ports().map((port) => ({ host: '127.0.0.1', port })),
          ) as ReturnType<Connect>,
        (command, ...args) =>
          Promise.all(nodes().map((reader) => reader.call(command, ...args).catch(() => []))),
      ),
    modelRuns: 5,
  })

  describeStore({
    name: 'redis cluster, valkey-glide',
    create: () => glideFixture(() => glideOnCluster(ports()), nodes()),
    modelRuns: 5,
  })
} else {
  test.skip('iovalkey and valkey-glide on a cluster: pnpm test:whole', () => {})
}

test('iovalkey with Sentinel: a claim, its completion and a replay', async () => {
  const sentinels = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
  const client = new Valkey({ sentinels, name: group.name })
  onTestFinished(() => client.disconnect())
  await replays(redisStore({ client }))
})

test('valkey-glide on a cluster: a claim, its completion and a replay', async () => {
  const client = await glideOnCluster(ports())
  onTestFinished(() => client.close())
  await replays(redisStore({ client }))
})

async function replays(store: ReturnType<typeof redisStore>): Promise<void> {
  const claim = claimOf()
  const attempt = await run(store, claim)
  await attempt.complete(completionOf())
  expect(await kindOf(store, retryOf(claim))).toBe('replay')
}

test('valkey-glide finds a server, and a node of a cluster, that evicts', async () => {
  const [first, ...others] = nodes()
  const evicting = others.at(-1) ?? first
  for (const reader of [single()[0], evicting]) {
    await reader?.config('SET', 'maxmemory', '500mb')
    await reader?.config('SET', 'maxmemory-policy', 'allkeys-lru')
  }
  onTestFinished(async () => {
    for (const reader of readers) await reader.config('SET', 'maxmemory', '0')
  })
  for (const client of [await glideOn(port()), await glideOnCluster(ports())]) {
    onTestFinished(() => client.close())
    const error = await errorOf(redisStore({ client }).begin(claimOf()))
    expect(error).toMatchObject({ code: 'store-unavailable' })
    expect(error.message).toContain('maxmemory-policy allkeys-lru')
  }
})

test('errors that valkey-glide translates are told in the words of the server', async () => {
  const [primary] = cluster.primaries
  const client = await glideOn(primary?.port as number)
  onTestFinished(() => client.close())
  const store = redisStore({ client })
  const messages = new Set<string>()
  // One of a few keys is on another node.
  for (let tries = 0; tries < 20; tries++) {
    const error = await store.begin(claimOf()).then(() => undefined, String)
    if (error !== undefined) messages.add(error)
  }
  const [message] = messages
  expect(message).toMatch(/it is a node of a cluster; .*\(MOVED /)
})

test('a client of valkey-glide that was closed is told to be', async () => {
  const client = await glideOn(port())
  client.close()
  const error = await errorOf(redisStore({ client }).begin(claimOf()))
  expect(error).toMatchObject({ code: 'store-unavailable' })
  expect(error.message).toContain('the client is closed')
})
