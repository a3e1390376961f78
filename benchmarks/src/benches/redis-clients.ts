import { randomUUID } from 'node:crypto'
import { once } from '@oncekey/core'
import { type RedisStoreOptions, redisStore } from '@oncekey/redis'
import { startRedis } from '@oncekey/test-servers'
import { GlideClient, Logger } from '@valkey/valkey-glide'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { type RedisCost, redisCounter } from '../redis-commands.ts'

/** Whatever client runs the scripts, they are the same, and so is what they cost. */
export const redisClientsBench: Bench = {
  name: 'redis-clients',
  about: 'commands and round trips of the store on each Redis client, exactly',

  async run({ counted }) {
    const redis = await startRedis()
    const counter = await redisCounter(redis)
    const rows: Row[] = []
    try {
      for (const [name, connect] of Object.entries(clients)) {
        const { client, close } = await connect(counter.url)
        const store = redisStore({ client, commandTimeoutMs: 10_000 })
        const { run } = once({ store, namespace: name })
        const send = async (key: string): Promise<void> => {
          await run({ scope: 'account-1', key }, () => ({ id: 1 }))
        }
        const key = randomUUID()
        await send(key) // opens the connection, and makes the scripts known
        const fresh = await counter.count(counted, () => send(randomUUID()))
        const replay = await counter.count(counted, () => send(key))
        rows.push({ name, request: 'fresh key', ...fresh }, { name, request: 'replay', ...replay })
        await close()
      }
    } finally {
      await counter.stop()
      await redis.stop()
    }
    const title = `Per call of once(), ${counted} calls each, through a counting proxy`
    const columns = ['', 'request', 'round trips', 'commands executed']
    return {
      tables: [
        {
          title,
          columns,
          rows: rows.map((row) => [row.name, row.request, row.roundTrips, row.commands]),
        },
      ],
      budgets: rows.map(({ name, request, roundTrips }): Budget => {
        const limit = request === 'replay' ? 1 : 2
        const what = `${name}, ${request}: round trips`
        return { what, bound: 'at most', limit, measured: roundTrips }
      }),
      notes: [],
    }
  },
}

interface Row extends RedisCost {
  readonly name: string
  readonly request: 'fresh key' | 'replay'
}

interface Opened {
  readonly client: RedisStoreOptions['client']
  close(): unknown
}

const clients: Record<string, (url: string) => Promise<Opened>> = {
  async ioredis(url) {
    const client = new Redis(url)
    return { client, close: () => client.disconnect() }
  },

  async iovalkey(url) {
    const client = new Valkey(url)
    return { client, close: () => client.disconnect() }
  },

  async 'node-redis'(url) {
    const client = createClient({ url })
    await client.connect()
    return { client, close: () => client.destroy() }
  },

  async 'valkey-glide'(url) {
    Logger.init('off')
    const { hostname: host, port } = new URL(url)
    const addresses = [{ host, port: Number(port) }]
    const client = await GlideClient.createClient({ addresses, requestTimeout: 10_000 })
    return { client, close: () => client.close() }
  },
}
