import { describeStore } from '@oncekey/conformance'
import { type GivenOrOwn, givenOrOwn, type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll } from 'vitest'
import { type Connect, redisFixture } from '../servers/redis-fixture.ts'

let server: GivenOrOwn<RedisServer>
let reader: Redis

beforeAll(async () => {
  server = await givenOrOwn('REDIS_URL', startRedis)
  reader = new Redis(url())
})
afterAll(async () => {
  reader.disconnect()
  await server?.stop()
})

const url = (): string => server.url()

/** Every client option that changes what is sent, in as few runs as possible. */
const clients: Record<string, (url: string) => ReturnType<Connect>> = {
  'ioredis 6': (url) => new Redis(url),
  'ioredis 5 with a key prefix and numbers as strings': (url) =>
    new Redis5(url, { keyPrefix: 'app:{shop}:', stringNumbers: true }),
  'ioredis 6 with automatic pipelining': (url) => new Redis(url, { enableAutoPipelining: true }),
}

for (const [name, connect] of Object.entries(clients)) {
  describeStore({
    name: `redis, ${name}`,
    create: () =>
      redisFixture(
        () => connect(url()),
        async (command, ...args) => [await reader.call(command, ...args)],
        {
          port: Number(new URL(url()).port),
          connect: (port) => connect(Object.assign(new URL(url()), { port: `${port}` }).href),
        },
      ),
    modelRuns: 20,
  })
}
