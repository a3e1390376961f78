import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import type { CampaignOptions } from '../options.ts'
import type { Database } from './database.ts'
import { redisBooks } from './redis-books.ts'

/** Redis. Its clock cannot be moved, because jemalloc and libfaketime do not work together. */
export async function startRedisDatabase({
  durable,
}: Pick<CampaignOptions, 'durable'>): Promise<Database> {
  const settings = redisSettings(durable)
  const server = await startRedis({ settings })
  return {
    ports: [server.port],
    reachedBy: ([port]) => ({ url: `redis://127.0.0.1:${port}` }),
    completion: /evalsha/i,
    settings: described(settings),
    mayLose: false,
    faults: {
      async 'database killed'(random) {
        await server.crash()
        await sleep(random.between(0, 500))
        await server.restart()
      },

      async 'database paused'(random) {
        server.pause()
        await sleep(random.between(200, 2_500))
        server.resume()
      },

      ...passingFaults(() => server),
    },
    ...redisBooks(() => server.url),
    whole: async () => {},
    stop: server.stop,
  }
}

/** Faults that a server recovers from by itself. */
export function passingFaults(
  server: () => RedisServer | Promise<RedisServer>,
): Database['faults'] {
  return {
    async 'clients disconnected'() {
      await (await server()).cli('client', 'kill', 'type', 'normal')
    },

    async 'memory full'(random) {
      const { cli } = await server()
      await cli('config', 'set', 'maxmemory', '1')
      await sleep(random.between(200, 1_500))
      await cli('config', 'set', 'maxmemory', '0')
    },

    async 'scripts forgotten'() {
      await (await server()).cli('script', 'flush')
    },
  }
}

export function redisSettings(durable: boolean): Record<string, string> {
  return {
    appendonly: durable ? 'yes' : 'no',
    appendfsync: durable ? 'always' : 'everysec',
    'maxmemory-policy': 'noeviction',
    'auto-aof-rewrite-percentage': '0',
  }
}

export function described(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
