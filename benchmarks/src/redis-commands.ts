import { type RedisServer, startProxy } from '@oncekey/test-servers'
import { Redis } from 'ioredis'

/** What a number of requests cost in Redis, each of them. */
export interface RedisCost {
  /** Times that somebody waited for Redis, or could have. */
  readonly roundTrips: number
  /** What the server executed, inside scripts too: `evalsha 2, hset 2, set 1`. */
  readonly commands: string
}

/** Counts in between; nobody else may use the server meanwhile. */
export interface RedisCounter {
  /** For a client that is to be counted. */
  readonly url: string
  count(requests: number, send: (index: number) => Promise<void>): Promise<RedisCost>
  stop(): Promise<void>
}

export async function redisCounter(redis: RedisServer): Promise<RedisCounter> {
  const proxy = await startProxy(redis.port)
  // So that what a client sends at once is one round trip, however the bytes are cut on their way.
  proxy.latency(2)
  const looker = new Redis(redis.url)
  return {
    url: proxy.through(redis.url),
    async count(requests, send) {
      await settled(looker)
      await looker.config('RESETSTAT')
      proxy.resetCounts()
      for (let index = 0; index < requests; index += 1) {
        await send(index)
        // Some store the response after they have sent it.
        await settled(looker)
      }
      const calls = await commandCalls(looker)
      return {
        roundTrips: proxy.counts().roundTrips / requests,
        commands: [...calls].map(([name, count]) => `${name} ${count / requests}`).join(', '),
      }
    },
    async stop() {
      looker.disconnect()
      await proxy.stop()
    },
  }
}

/** Done when two looks in a row find nothing new. */
async function settled(redis: Redis): Promise<void> {
  const look = async (): Promise<string> => JSON.stringify([...(await commandCalls(redis))])
  let before = await look()
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    const now = await look()
    if (now === before) return
    before = now
  }
}

/** What a connection asks for itself, and whoever looks, is nobody's request. */
async function commandCalls(redis: Redis): Promise<Map<string, number>> {
  const stats = await redis.info('commandstats')
  const found = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
  return new Map(
    found
      .map(([, name = '', calls]) => [name, Number(calls)] as const)
      .filter(([name]) => !/^(config|info|command|ping|client|hello|select)/.test(name))
      .sort(([one], [two]) => (one < two ? -1 : 1)),
  )
}
