import { describeLog } from '@oncekey/conformance'
import { type RedisLogOptions, redisLog } from '@oncekey/redis'
import {
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
} from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import { afterAll, beforeAll, test } from 'vitest'
import { glideOn, glideOnCluster } from '../servers/glide.ts'
import { dropWhatIsOver, moveClock } from '../servers/log-clock.ts'

let server: RedisServer
let cluster: RedisCluster | undefined
const readers: Redis[] = []
const isWhole = process.env.MATRIX === 'whole'

beforeAll(async () => {
  server = await startRedis({ settings: { 'enable-debug-command': 'yes' } })
  cluster = isWhole ? await startRedisCluster() : undefined
  const urls = [server.url, ...(cluster?.primaries ?? []).map(({ url }) => url)]
  readers.push(...urls.map((url) => new Redis(url)))
})
afterAll(async () => {
  for (const reader of readers) reader.disconnect()
  await Promise.all([server.stop(), cluster?.stop()])
})

interface Opened {
  readonly client: RedisLogOptions['client']
  close(): unknown
}

async function glide(): Promise<Opened> {
  const client = await glideOn(server.port)
  return { client, close: () => client.close() }
}

async function glideCluster(): Promise<Opened> {
  const client = await glideOnCluster((cluster?.primaries ?? []).map(({ port }) => port))
  return { client, close: () => client.close() }
}

async function nodeRedis(): Promise<Opened> {
  const client = createClient({ url: server.url })
  client.on('error', () => {})
  await client.connect()
  return { client, close: () => client.destroy() }
}

async function iovalkey(): Promise<Opened> {
  const client = new Valkey(server.url)
  return { client, close: () => client.disconnect() }
}

const clients: Record<string, () => Promise<Opened>> = {
  'redis, valkey-glide': glide,
  ...(isWhole && {
    'redis, node-redis 6': nodeRedis,
    'redis, iovalkey': iovalkey,
    'redis cluster, valkey-glide': glideCluster,
  }),
}

for (const [name, connect] of Object.entries(clients)) {
  const isCluster = name.includes('cluster')
  const mine = () => (isCluster ? readers.slice(1) : readers.slice(0, 1))
  describeLog<never>({
    name,
    create: async () => {
      const [one, two] = [await connect(), await connect()]
      return {
        log: redisLog({ client: one.client }),
        another: () => redisLog({ client: two.client }),
        advance: (ms) => moveClock(mine(), ms),
        ...(!isCluster && {
          anotherLife: async () => void (await readers[0]?.call('debug', 'change-repl-id')),
        }),
        async close() {
          await Promise.all([one.close(), two.close()])
          await dropWhatIsOver(mine())
        },
      }
    },
  })
}

if (!isWhole) {
  test.skip('the log with node-redis, iovalkey, and valkey-glide on a cluster: pnpm test:whole', () => {})
}
