import type { AdapterSuiteStore } from '@oncekey/conformance'
import { redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { eventIn } from '../../../packages/redis/test/servers/redis-fixture.ts'

/** The store on one Redis. */
export function onRedis(): AdapterSuiteStore {
  let server: RedisServer | undefined
  let [client, subscriber] = [] as Redis[]
  beforeAll(async () => {
    server = process.env.REDIS_URL === undefined ? await startRedis() : undefined
    const url = server?.url ?? (process.env.REDIS_URL as string)
    client = new Redis(url)
    subscriber = new Redis(url)
  })
  afterAll(async () => {
    client?.disconnect()
    subscriber?.disconnect()
    await server?.stop()
  })
  return {
    name: 'Redis',
    create() {
      if (client === undefined || subscriber === undefined) throw new Error('not connected yet')
      const redis = client
      return {
        store: redisStore({ client: redis, subscriber }),
        events: async () => {
          const outboxes = await redis.keys('*outbox')
          const entries = await Promise.all(outboxes.map((key) => redis.xrange(key, '-', '+')))
          return entries.flat().map(([, fields]) => eventIn(fields))
        },
        async expireResults() {
          const keys = await redis.keys('*:result:*')
          if (keys.length > 0) await redis.del(keys)
        },
      }
    },
  }
}
