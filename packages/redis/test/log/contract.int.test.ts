import { describeLog } from '@oncekey/conformance'
import { redisLog } from '@oncekey/redis'
import { type GivenOrOwn, givenOrOwn, type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll } from 'vitest'
import { dropWhatIsOver, moveClock } from '../servers/log-clock.ts'

let server: GivenOrOwn<RedisServer>
let reader: Redis
const url = (): string => server.url()
beforeAll(async () => {
  server = await givenOrOwn('REDIS_URL', () =>
    startRedis({ settings: { 'enable-debug-command': 'yes' } }),
  )
  reader = new Redis(url())
})
afterAll(async () => {
  reader.disconnect()
  await server?.stop()
})

/** Every client option that changes what is sent, in as few runs as possible. */
const clients = {
  'ioredis 6': () => new Redis(url()),
  'ioredis 5 with a key prefix and numbers as strings': () =>
    new Redis5(url(), { keyPrefix: 'app:{shop}:', stringNumbers: true }),
}

for (const [name, connect] of Object.entries(clients)) {
  describeLog<never>({
    name: `redis, ${name}`,
    create: () => {
      const connections = [connect(), connect()] as const
      const [one, two] = connections
      return {
        log: redisLog({ client: one }),
        another: () => redisLog({ client: two }),
        advance: (ms) => moveClock([reader], ms),
        // Simulates a restart and a promotion.
        ...(!server.isGiven && {
          anotherLife: async () => void (await reader.call('debug', 'change-repl-id')),
        }),
        async close() {
          for (const connection of connections) connection.disconnect()
          if (!server.isGiven) await dropWhatIsOver([reader])
        },
      }
    },
  })
}
