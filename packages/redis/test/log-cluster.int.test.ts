import { randomUUID } from 'node:crypto'
import { logBehaviours, runLogBehaviour } from '@oncekey/conformance'
import { redisLog } from '@oncekey/redis'
import { type RedisCluster, startRedisCluster } from '@oncekey/test-servers'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { moveClock } from './log-clock.ts'

let cluster: RedisCluster
const readers: Redis[] = []
beforeAll(async () => {
  cluster = await startRedisCluster()
  readers.push(...cluster.primaries.map((each) => new Redis(each.url)))
}, 120_000)
afterAll(async () => {
  for (const reader of readers) reader.disconnect()
  await cluster.stop()
})

const nodes = () => cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port }))

const clients = [
  { name: 'ioredis 6', connect: () => new Cluster(nodes()), groups: undefined },
  {
    name: 'ioredis 5 that pipelines by itself',
    connect: () => new Cluster5(nodes(), { enableAutoPipelining: true, keyPrefix: 'app:' }),
    // What is sent differs, not what the scripts do: that has been seen above.
    groups: ['reading', 'advancing'],
  },
]

for (const { name, connect, groups } of clients) {
  describe(`log contract: redis cluster, ${name}`, () => {
    for (const { title, behaviours } of logBehaviours()) {
      if (groups?.includes(title) === false) continue
      for (const behaviour of behaviours) {
        test(`${title}: ${behaviour.title}`, { timeout: 60_000 }, async ({ skip }) => {
          const connections = [connect(), connect()] as const
          const [one, two] = connections
          const skipped = await runLogBehaviour<never>(behaviour, () => ({
            log: redisLog({ client: one }),
            another: () => redisLog({ client: two }),
            advance: (ms) => moveClock(readers, ms),
            close: () => {
              for (const connection of connections) connection.disconnect()
            },
          }))
          if (skipped !== undefined) skip(skipped)
        })
      }
    }
  })
}

test('all that is kept of a slot is on the node of its stream, and slots are on all of them', async () => {
  const client = new Cluster(nodes())
  const log = redisLog({ client })
  await log.subscribe({ consumer: 'spread', types: null, startAt: 'now' })
  const keys = await Promise.all(readers.map((reader) => reader.keys('oncekey:*:consumers')))
  for (const ofNode of keys) expect(ofNode.length).toBeGreaterThan(5)
  expect(new Set(keys.flat()).size).toBe(64)
  for (const orderingKey of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const occurredAt = new Date()
    await log.append([
      {
        id: randomUUID(),
        type: 'a',
        source: '/',
        subject: null,
        orderingKey,
        data: '1',
        headers: {},
        occurredAt,
      },
    ])
  }
  expect((await log.lag('spread')).events).toBe(6)
  client.disconnect()
})
